//! Tests of what the store does inside.

mod faults;
mod plans;
mod random;
