//! What the programs share.
#![forbid(unsafe_code)]

use std::{str::FromStr, time::Duration};

/// Nobody means to run longer than this, in seconds.
const LONGEST: f64 = 3600.0;

/// The value of the argument `name`.
///
/// # Errors
/// A sentence, if it is none.
pub fn read<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("'{value}' is no value for {name}"))
}

/// The same of a time in seconds, at most an hour.
///
/// # Errors
/// A sentence, if it is none.
pub fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let seconds: f64 = read(name, value)?;
    Duration::try_from_secs_f64(seconds.min(LONGEST)).map_err(|error| format!("{name}: {error}"))
}
