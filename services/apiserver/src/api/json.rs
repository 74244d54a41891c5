//! JSON as Python clients write and read it (spec 01 §1.2, §1.5): `NaN` and `Infinity` literals, lone
//! surrogates, integers of any size, ASCII output. Standard JSON libraries refuse the first three.

mod read;
mod tree;
mod value;
mod write;

pub use read::{Limits, ReadError, read};
pub(crate) use read::{check, estimate_values, is_json, read_bson, read_counted};
pub use value::Json;
pub use write::{
    WriteError, iso_date, naive_iso_date, python_float, write_document, write_text, write_value,
};
