//! Checks of request fields beyond their type, with the validation texts of spec 01 §2.

use std::fmt::Display;

use super::ApiError;

/// 400/12 unless the list has an item.
pub fn not_empty<T>(field: &str, items: &[T]) -> Result<(), ApiError> {
    if items.is_empty() {
        return Err(invalid(field, "value '[]' length is lower than allowed minimum '1'"));
    }
    Ok(())
}

/// 400/12 if the value is below the minimum.
pub fn at_least<N: PartialOrd + Display + Copy>(field: &str, value: N, minimum: N) -> Result<(), ApiError> {
    if value < minimum {
        return Err(invalid(field, &format!("'{value}' is lower than minimum ('{minimum}').")));
    }
    Ok(())
}

/// 400/12 if the value is above the maximum.
pub fn at_most<N: PartialOrd + Display + Copy>(field: &str, value: N, maximum: N) -> Result<(), ApiError> {
    if value > maximum {
        return Err(invalid(field, &format!("'{value}' is bigger than maximum ('{maximum}').")));
    }
    Ok(())
}

/// 400/12 unless the value is one of the choices.
pub fn one_of(field: &str, value: &str, choices: &[&str]) -> Result<(), ApiError> {
    if !choices.contains(&value) {
        return Err(invalid(field, &format!("value '{value}' is not a valid choice.")));
    }
    Ok(())
}

fn invalid(field: &str, detail: &str) -> ApiError {
    ApiError::validation(format!("error for field '{field}': {detail}.").to_lowercase())
}
