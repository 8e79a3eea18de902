//! Mean and spread of a few runs.

use serde::Serialize;

/// Mean and spread of a few runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation; none of one run.
    pub std: Option<f64>,
    /// The number of runs.
    pub n: usize,
}

impl Statistics {
    /// Of at least one value.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (n > 0).then(|| Self {
            mean,
            std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            n,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_a_sample() {
        assert_eq!(Statistics::of(&[]), None);
        let one = Statistics::of(&[3.0]).expect("one value");
        assert_eq!((one.mean, one.std, one.n), (3.0, None, 1));
        let three = Statistics::of(&[1.0, 2.0, 3.0]).expect("values");
        assert_eq!((three.mean, three.std, three.n), (2.0, Some(1.0), 3));
    }
}
