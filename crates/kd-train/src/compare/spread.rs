//! Mean and spread over seeds.

use serde::Serialize;

use crate::RunResult;

/// Mean and spread of a value over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation; none of one run.
    pub std: Option<f64>,
    /// The number of runs.
    pub n: usize,
}

impl Spread {
    /// Of values, at least one.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (n > 0).then(|| Self {
            mean,
            std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            n,
        })
    }

    /// Of the top-1 accuracies after the last epoch, in percent.
    pub fn of_top1(results: &[RunResult]) -> Option<Self> {
        Self::of(results.iter().map(|result| result.last_top1))
    }

    /// Of the differences of these accuracies, seed by seed, in percentage points.
    pub fn of_gain(results: &[RunResult], over: &[RunResult]) -> Option<Self> {
        let pairs = results.iter().zip(over);
        Self::of(pairs.map(|(result, over)| result.last_top1 - over.last_top1))
    }

    /// The standard error of the mean; none of one run.
    pub fn standard_error(&self) -> Option<f64> {
        Some(self.std? / (self.n as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_a_sample() {
        assert_eq!(Spread::of([]), None);
        let one = Spread::of([3.0]).expect("one value");
        assert_eq!((one.mean, one.std, one.standard_error()), (3.0, None, None));
        let four = Spread::of([1.0, 1.0, 3.0, 3.0]).expect("values");
        let std = (4.0_f64 / 3.0).sqrt();
        assert_eq!((four.mean, four.std), (2.0, Some(std)));
        assert_eq!(four.standard_error(), Some(std / 2.0));
    }
}
