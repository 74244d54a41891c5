//! Tests of what the store does inside.

mod plans;
mod random;
