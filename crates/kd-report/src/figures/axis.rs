//! Axes: their range and their ticks.

/// Range of values above which an axis is logarithmic.
const LOGARITHMIC: f64 = 50.0;
/// Part of the range that is left free at both ends.
const PADDING: f64 = 0.05;

/// A value that is labeled.
#[derive(Debug, Clone)]
pub struct Tick {
    /// The value.
    pub at: f64,
    /// Its label.
    pub label: String,
}

/// An axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// Whether equal lengths are equal ratios.
    pub logarithmic: bool,
    /// The values that are labeled.
    pub ticks: Vec<Tick>,
    /// Values between them that have a faint line of the grid.
    pub minor: Vec<f64>,
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis for the values; logarithmic if they are positive and of different magnitudes.
    pub fn values(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (low, high) = range(values);
        if low > 0.0 && high / low > LOGARITHMIC {
            return Self::logarithmic(low.log10(), high.log10());
        }
        let (low, high) = widened(low, high);
        let padding = PADDING * (high - low);
        // Percentages and losses are never negative, and their axes need not be.
        let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        Self::linear((low - padding).max(floor), high + padding)
    }

    /// An axis for numbers of epochs: only whole ones are labeled, and the first one is.
    pub fn epochs(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (low, high) = range(values);
        if low == high {
            return Self {
                ticks: vec![tick(low, 0)],
                logarithmic: false,
                minor: Vec::new(),
                low: low - 0.5,
                high: high + 0.5,
            };
        }
        let step = nice((high - low) / 7.0).max(1.0);
        let padding = 0.02 * (high - low);
        let mut ticks = multiples(step, low, high);
        match ticks.first() {
            None => return Self::linear(low - padding, high + padding),
            Some(first) if first.at - low > 0.5 * step && low.fract() == 0.0 => {
                ticks.insert(0, tick(low, 0));
            }
            Some(_) => {}
        }
        Self {
            ticks,
            logarithmic: false,
            minor: Vec::new(),
            low: low - padding,
            high: high + padding,
        }
    }

    /// Where `value` lies: 0 at the low end of the axis, 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic {
            value.log10()
        } else {
            value
        };
        (value - self.low) / (self.high - self.low)
    }

    /// The values at the low and at the high end of an axis that is not logarithmic.
    pub fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    fn linear(low: f64, high: f64) -> Self {
        Self {
            ticks: multiples(nice((high - low) / 9.0), low, high),
            logarithmic: false,
            minor: Vec::new(),
            low,
            high,
        }
    }

    /// An axis between two powers of ten.
    fn logarithmic(low: f64, high: f64) -> Self {
        let padding = PADDING * (high - low);
        let (low, high) = (low - padding, high + padding);
        let decades = high - low;
        // Labels of 2 and 5 where the decades are few, labels of some decades where they are many.
        let labeled: &[i32] = if decades <= 3.0 { &[1, 2, 5] } else { &[1] };
        let every = (decades / 6.0).ceil().max(1.0) as i32;
        let mut ticks = Vec::new();
        let mut minor = Vec::new();
        for decade in low.floor() as i32..=high.floor() as i32 {
            for digit in 1..=9 {
                let at = f64::from(digit) * 10f64.powi(decade);
                if !(low..=high).contains(&at.log10()) {
                    continue;
                }
                if labeled.contains(&digit) && decade.rem_euclid(every) == 0 {
                    let label = power_label(digit, decade);
                    ticks.push(Tick { at, label });
                } else if every == 1 || digit == 1 {
                    minor.push(at);
                }
            }
        }
        Self {
            logarithmic: true,
            ticks,
            minor,
            low,
            high,
        }
    }
}

/// Whether a value can be drawn: sums and differences of such values are finite.
pub fn is_drawable(value: f64) -> bool {
    value.abs() < 1e100
}

/// Least and greatest value; [0, 1] if there is none.
fn range(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if low > high { (0.0, 1.0) } else { (low, high) }
}

/// A range that is wide enough for different labels.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let greatest = low.abs().max(high.abs());
    if greatest < 1e-100 {
        return (0.0, 1.0);
    }
    if high - low > 1e-6 * greatest {
        return (low, high);
    }
    (low - 0.05 * greatest, high + 0.05 * greatest)
}

/// The number 1, 2 or 5 times a power of ten that is nearest above `step`.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let digit = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|digit| digit * power >= 0.999 * step);
    digit.unwrap_or(10.0) * power
}

/// Ticks at the multiples of `step`.
fn multiples(step: f64, low: f64, high: f64) -> Vec<Tick> {
    // Of a hundredth of a step, rounding may have moved an end.
    let first = (low / step - 0.01).ceil();
    let last = (high / step + 0.01).floor();
    let count = (last - first).clamp(-1.0, 50.0) as i64;
    let decimals = (-(step * 1.001).log10().floor()).max(0.0) as usize;
    (0..=count)
        .map(|index| tick((first + index as f64) * step, decimals))
        .collect()
}

fn tick(at: f64, decimals: usize) -> Tick {
    // Zero has no sign on an axis.
    let at = if at == 0.0 { 0.0 } else { at };
    let label = if decimals > 5 || at.abs() >= 1e6 {
        let digits = at.abs().max(f64::MIN_POSITIVE).log10().floor();
        let places = (digits + decimals as f64).clamp(0.0, 6.0) as usize;
        if at == 0.0 {
            "0".to_owned()
        } else {
            format!("{at:.places$e}")
        }
    } else {
        format!("{at:.decimals$}")
    };
    // A hyphen is too short for a minus.
    let label = label.replace('-', "−");
    Tick { at, label }
}

/// `digit` times ten to `decade`.
fn power_label(digit: i32, decade: i32) -> String {
    let label = match decade {
        0..=4 => format!("{}", i64::from(digit) * 10i64.pow(decade.unsigned_abs())),
        -4..=-1 => {
            let decimals = decade.unsigned_abs() as usize;
            format!("{:.decimals$}", f64::from(digit) * 10f64.powi(decade))
        }
        _ => format!("{digit}e{decade}"),
    };
    label.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn epochs_are_whole_numbers() {
        let axis = Axis::epochs((1..=240).map(f64::from));
        assert_eq!(labels(&axis), ["1", "50", "100", "150", "200"]);
        let axis = Axis::epochs((1..=7).map(f64::from));
        assert_eq!(labels(&axis), ["1", "2", "3", "4", "5", "6", "7"]);
        let axis = Axis::epochs([1.0].into_iter());
        assert_eq!(labels(&axis), ["1"]);
        assert_eq!(axis.place(1.0), 0.5);
    }

    #[test]
    fn values_of_different_magnitudes_take_a_logarithmic_axis() {
        let axis = Axis::values([0.01, 300.0].into_iter());
        assert!(axis.logarithmic);
        assert_eq!(labels(&axis), ["0.01", "0.1", "1", "10", "100"]);
        let axis = Axis::values([1.0, 51.0].into_iter());
        assert!(axis.logarithmic);
        assert_eq!(labels(&axis), ["1", "2", "5", "10", "20", "50"]);
        assert!(!Axis::values([0.0, 300.0].into_iter()).logarithmic);
        assert!(!Axis::values([-1.0, 300.0].into_iter()).logarithmic);
        assert!(!Axis::values([1.0, 50.0].into_iter()).logarithmic);
    }

    #[test]
    fn any_range_has_a_few_different_ticks_inside() {
        let values = [
            -1e99,
            -3.0,
            -1e-99,
            0.0,
            1e-120,
            1e-12,
            0.3,
            1.0,
            1.000_000_1,
            57.3,
            1e7,
            9e99,
        ];
        for low in values {
            for high in values.into_iter().filter(|high| *high >= low) {
                let axis = Axis::values([low, high].into_iter());
                let labels = labels(&axis);
                assert!((2..=15).contains(&labels.len()), "{low} {high} {labels:?}");
                let mut different = labels.clone();
                different.dedup();
                assert_eq!(labels, different, "{low} {high}");
                for at in [low, high]
                    .into_iter()
                    .chain(axis.ticks.iter().map(|tick| tick.at))
                {
                    let place = axis.place(at);
                    assert!((-0.01..=1.01).contains(&place), "{low} {high} {place}");
                }
            }
        }
    }
}
