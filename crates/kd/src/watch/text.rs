//! Numbers and lines for people.

use std::time::Duration;

/// Between two parts of a line.
const BETWEEN: &str = " · ";

/// As in `8s`, `3m05s`, `2h07m` and `3d04h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// As many parts as fit into so many columns, from the first one on.
pub fn line(parts: impl IntoIterator<Item = String>, columns: usize) -> String {
    let mut line = String::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let more = match line.is_empty() {
            true => part,
            false => format!("{BETWEEN}{part}"),
        };
        if !line.is_empty() && line.chars().count() + more.chars().count() > columns {
            break;
        }
        line.push_str(&more);
    }
    line
}

/// A number as short as it can be read: four digits, or a power of ten.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A bar of so many columns, filled to a part in [0, 1].
pub fn bar(part: f64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    let (full, rest) = (eighths / 8, EIGHTHS[eighths % 8]);
    let empty = columns - full - rest.chars().count();
    format!("{}{rest}{}", "█".repeat(full), "░".repeat(empty))
}

/// Values in [0, 1], each a column: the last ones that fit.
pub fn sparkline(values: &[f64], columns: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let last = &values[values.len().saturating_sub(columns)..];
    let height = |value: &f64| match value.is_finite() {
        true => HEIGHTS[((value.clamp(0.0, 1.0) * 8.0) as usize).min(7)],
        false => ' ',
    };
    last.iter().map(height).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units() {
        let read = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(read(8), "8s");
        assert_eq!(read(185), "3m05s");
        assert_eq!(read(7620), "2h07m");
        assert_eq!(read(273_600), "3d04h");
    }

    #[test]
    fn lines_lose_their_last_parts() {
        let parts = || ["one", "", "two", "three"].map(str::to_owned);
        assert_eq!(line(parts(), 80), "one · two · three");
        assert_eq!(line(parts(), 10), "one · two");
        assert_eq!(line(parts(), 2), "one");
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.5, 12.345, 345.67, 1e6, 0.000_05].map(number);
        assert_eq!(
            numbers,
            ["0", "0.500", "12.35", "345.7", "1.00e6", "5.00e-5"]
        );
    }

    #[test]
    fn bars_have_their_width() {
        for part in [0.0, 0.01, 0.333, 0.5, 0.999, 1.0, 2.0] {
            assert_eq!(bar(part, 10).chars().count(), 10, "{part}");
        }
        assert_eq!(bar(0.5, 4), "██░░");
        assert_eq!(bar(0.0, 0), "");
        assert_eq!(sparkline(&[0.0, 0.5, 1.0, f64::NAN], 3), "▅█ ");
    }
}
