//! Ranges of parameters.

use crate::LossError;

/// A parameter that divides or scales: a positive finite number.
pub(crate) fn positive(
    method: &'static str,
    parameter: &'static str,
    value: f64,
) -> Result<(), LossError> {
    within(
        method,
        parameter,
        value,
        value > 0.0,
        "a positive finite number",
    )
}

/// A weight: a finite number that is not negative.
pub(crate) fn weight(
    method: &'static str,
    parameter: &'static str,
    value: f64,
) -> Result<(), LossError> {
    within(
        method,
        parameter,
        value,
        value >= 0.0,
        "a finite number, at least 0",
    )
}

/// More of anything than a method has use for: what follows from it can still be counted.
const MOST: usize = 1 << 20;

/// A number that counts something, of which there is at least one and at most [`MOST`].
pub(crate) fn at_least_one(
    method: &'static str,
    parameter: &'static str,
    value: usize,
) -> Result<(), LossError> {
    let expected = match value {
        0 => "1 or more",
        _ => "1048576 or less",
    };
    let inside = (1..=MOST).contains(&value);
    within(method, parameter, value as f64, inside, expected)
}

/// A finite number for which `inside` holds.
pub(crate) fn within(
    method: &'static str,
    parameter: &'static str,
    value: f64,
    inside: bool,
    expected: &'static str,
) -> Result<(), LossError> {
    if inside && value.is_finite() {
        Ok(())
    } else {
        Err(LossError::Parameter {
            method,
            parameter,
            value: value.to_string(),
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_named() {
        let message = |result: Result<(), LossError>| result.expect_err("out of range").to_string();
        assert_eq!(
            message(positive("kd", "temperature", 0.0)),
            "kd: `temperature` is 0, expected a positive finite number"
        );
        assert_eq!(
            message(weight("dkd", "beta", -1.0)),
            "dkd: `beta` is -1, expected a finite number, at least 0"
        );
        for value in [f64::NAN, f64::INFINITY] {
            assert!(positive("kd", "temperature", value).is_err());
            assert!(weight("dkd", "beta", value).is_err());
        }
        assert_eq!(
            message(at_least_one("at", "p", 0)),
            "at: `p` is 0, expected 1 or more"
        );
        assert_eq!(
            message(at_least_one("crd", "dim", MOST + 1)),
            "crd: `dim` is 1048577, expected 1048576 or less"
        );
        assert_eq!(at_least_one("at", "p", 1), Ok(()));
        assert_eq!(at_least_one("at", "p", MOST), Ok(()));
        assert_eq!(positive("kd", "temperature", 0.5), Ok(()));
        assert_eq!(weight("dkd", "beta", 0.0), Ok(()));
    }
}
