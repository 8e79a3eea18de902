//! Comparisons at the tolerances of the reference values.

use std::fs::OpenOptions;
use std::io::Write;

/// Largest absolute difference, relative to the largest magnitude among the expected values.
/// Infinite if lengths differ or a value is not finite.
pub fn max_error(actual: &[f32], expected: &[f32]) -> f64 {
    if actual.len() != expected.len() || actual.iter().any(|value| !value.is_finite()) {
        return f64::INFINITY;
    }
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let scale = largest(&mut expected.iter().map(|value| f64::from(value.abs())));
    let difference = largest(
        &mut actual
            .iter()
            .zip(expected)
            .map(|(a, e)| (f64::from(*a) - f64::from(*e)).abs()),
    );
    if scale > 0.0 {
        difference / scale
    } else {
        difference
    }
}

/// Asserts that two tensors agree to `tolerance` of the expected tensor's largest magnitude.
#[track_caller]
pub fn assert_close(label: &str, actual: &[f32], expected: &[f32], tolerance: f64) {
    let error = max_error(actual, expected);
    record(label, error);
    assert!(
        error <= tolerance,
        "{label}: error {error:.2e} of the largest value exceeds {tolerance:.0e} ({} values, {} expected)",
        actual.len(),
        expected.len(),
    );
}

/// Asserts that two scalars agree to a relative `tolerance`, or to 1e-7 absolutely near zero.
#[track_caller]
pub fn assert_scalar(label: &str, actual: f64, expected: f64, tolerance: f64) {
    let error = (actual - expected).abs();
    record(label, error / expected.abs().max(1e-7));
    assert!(
        error <= (tolerance * expected.abs()).max(1e-7),
        "{label}: {actual} is not {expected} to {tolerance:.0e}"
    );
}

/// Appends the error of a comparison to the file that `KD_PARITY_LOG` names, if it names one:
/// the tables of the documentation are made of it.
fn record(label: &str, error: f64) {
    let Some(path) = std::env::var_os("KD_PARITY_LOG") else {
        return;
    };
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("KD_PARITY_LOG can be written");
    // One write a line: tests run side by side.
    let line = format!("{label}\t{error:.2e}\n");
    log.write_all(line.as_bytes())
        .expect("KD_PARITY_LOG can be written");
}
