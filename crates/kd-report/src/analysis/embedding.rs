//! Features of many dimensions as points of a plane.

use bhtsne::tSNE;

use crate::ReportError;

/// Steps of the descent.
const STEPS: usize = 500;
/// Steps with exaggerated similarities, which let clusters form.
const EXAGGERATED: usize = 150;
/// The effective number of neighbors.
const PERPLEXITY: f64 = 30.0;
/// Spread of the first component where the descent starts.
const START: f64 = 1e-4;
/// Rounds of the iteration that finds a component.
const ROUNDS: usize = 200;

/// A point of the plane for each row of features, by t-SNE (van der Maaten and Hinton, JMLR 2008),
/// which starts from the first two principal components (Kobak and Berens, Nature Communications
/// 2019). The same rows give the same points.
///
/// Fewer than five rows give their principal components.
///
/// # Errors
///
/// [`ReportError::Predictions`] if there are not `length` numbers a row, or if one is not finite.
pub fn embedding(features: &[f32], length: usize) -> Result<Vec<[f64; 2]>, ReportError> {
    let start = principal(features, length)?;
    let rows: Vec<Vec<f64>> = wide(features, length);
    let perplexity = PERPLEXITY.min((rows.len().saturating_sub(1) / 3) as f64);
    if rows.len() < 5 {
        return Ok(start);
    }
    let spread = start.iter().map(|point| point[0] * point[0]).sum::<f64>();
    let spread = (spread / start.len() as f64).sqrt().max(f64::MIN_POSITIVE);
    let start: Vec<f64> = start.concat();
    let start: Vec<f64> = start.iter().map(|place| place / spread * START).collect();
    let distance = |one: &Vec<f64>, other: &Vec<f64>| {
        let squares = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
        squares.sum::<f64>().sqrt()
    };
    let fit = || {
        let mut descent: tSNE<'_, f64, Vec<f64>, 2> = tSNE::new(&rows);
        descent
            .perplexity(perplexity)
            .epochs(STEPS)
            .stop_lying_epoch(EXAGGERATED)
            .momentum_switch_epoch(EXAGGERATED)
            .initial_embedding(start)
            .exact(distance);
        descent.embedding()
    };
    // Sums over several threads have no fixed order, and the descent would magnify the difference.
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let points = one_thread
        .map_err(|error| ReportError::Predictions(format!("no thread can be started: {error}")))?
        .install(fit);
    Ok(points.chunks_exact(2).map(|p| [p[0], p[1]]).collect())
}

/// The first two principal components of each row of features, by orthogonal iteration.
///
/// The sign of a component is such that its greatest entry is positive.
///
/// # Errors
///
/// As [`embedding`].
pub fn principal(features: &[f32], length: usize) -> Result<Vec<[f64; 2]>, ReportError> {
    if length == 0 || !features.len().is_multiple_of(length) {
        let found = features.len();
        return Err(ReportError::Predictions(format!(
            "{found} features are no rows of {length}"
        )));
    }
    if let Some(place) = features.iter().position(|value| !value.is_finite()) {
        let (value, row) = (features[place], place / length);
        return Err(ReportError::Predictions(format!(
            "a feature of image {row} is {value}"
        )));
    }
    let mut rows = wide(features, length);
    let count = rows.len().max(1) as f64;
    for column in 0..length {
        let mean = rows.iter().map(|row| row[column]).sum::<f64>() / count;
        rows.iter_mut().for_each(|row| row[column] -= mean);
    }
    let first = component(&rows, length, None);
    let second = component(&rows, length, Some(&first));
    let place = |row: &Vec<f64>| [dot(row, &first), dot(row, &second)];
    Ok(rows.iter().map(place).collect())
}

/// The direction of greatest variance that is orthogonal to another one.
fn component(rows: &[Vec<f64>], length: usize, beside: Option<&Vec<f64>>) -> Vec<f64> {
    let apart = |direction: &mut Vec<f64>| {
        if let Some(other) = beside {
            let part = dot(direction, other);
            let both = direction.iter_mut().zip(other);
            both.for_each(|(value, other)| *value -= part * other);
        }
        let norm = dot(direction, direction).sqrt();
        if norm > 0.0 {
            direction.iter_mut().for_each(|value| *value /= norm);
        }
    };
    // No direction is orthogonal to all of what this starts from but by chance.
    let mut direction: Vec<f64> = (0..length)
        .map(|index| 1.0 + (index as f64 * 0.618_033_988_75).fract())
        .collect();
    apart(&mut direction);
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; length];
        for row in rows {
            let share = dot(row, &direction);
            let both = next.iter_mut().zip(row);
            both.for_each(|(sum, value)| *sum += share * value);
        }
        apart(&mut next);
        if next.iter().all(|value| *value == 0.0) {
            return direction;
        }
        let moved = 1.0 - dot(&next, &direction).abs();
        direction = next;
        if moved < 1e-12 {
            break;
        }
    }
    let greatest = direction.iter().copied().fold(0.0, |greatest: f64, value| {
        if value.abs() > greatest.abs() {
            value
        } else {
            greatest
        }
    });
    if greatest < 0.0 {
        direction.iter_mut().for_each(|value| *value = -*value);
    }
    direction
}

fn wide(features: &[f32], length: usize) -> Vec<Vec<f64>> {
    let row = |row: &[f32]| row.iter().map(|value| f64::from(*value)).collect();
    features.chunks_exact(length).map(row).collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clouds of points in eight dimensions, far from each other.
    fn clouds() -> (Vec<f32>, Vec<usize>) {
        let mut features = Vec::new();
        let mut clouds = Vec::new();
        for image in 0..60usize {
            let cloud = image % 3;
            for dimension in 0..8usize {
                let noise = ((image * 31 + dimension * 17) % 13) as f32 / 13.0;
                let place = if dimension == cloud { 20.0 } else { 0.0 };
                features.push(place + noise);
            }
            clouds.push(cloud);
        }
        (features, clouds)
    }

    #[test]
    fn principal_components_are_those_of_the_covariance() {
        // Along (3, 4)/5 with the scores −2, −1, 1, 2, and across it with ±0.5.
        let scores = [(-2.0, 0.5), (-1.0, -0.5), (1.0, -0.5), (2.0, 0.5)];
        let rows =
            scores.map(|(along, across)| [0.6 * along - 0.8 * across, 0.8 * along + 0.6 * across]);
        let features: Vec<f32> = rows.concat().iter().map(|value| *value as f32).collect();
        let found = principal(&features, 2).expect("components");
        for (point, (along, across)) in found.iter().zip(scores) {
            assert!((point[0] - along).abs() < 1e-5, "{point:?}");
            // Its greatest entry is that of −0.8, which is made positive.
            assert!((point[1] + across).abs() < 1e-5, "{point:?}");
        }
    }

    #[test]
    fn clouds_stay_apart_and_points_are_the_same_each_time() {
        let (features, clouds) = clouds();
        let found = embedding(&features, 8).expect("points");
        assert_eq!(found, embedding(&features, 8).expect("points"));
        let distance = |one: usize, other: usize| {
            let [a, b] = [found[one], found[other]];
            ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt()
        };
        for image in 0..found.len() {
            let others = (0..found.len()).filter(|other| *other != image);
            let nearest = others
                .min_by(|one, other| distance(image, *one).total_cmp(&distance(image, *other)));
            assert_eq!(nearest.map(|other| clouds[other]), Some(clouds[image]));
        }
    }

    #[test]
    fn few_or_equal_rows_have_points_too() {
        assert_eq!(embedding(&[1.0, 2.0], 2).expect("points"), [[0.0, 0.0]]);
        let same = embedding(&[1.0; 40], 2).expect("points");
        assert!(same.iter().flatten().all(|place| place.is_finite()));
        assert!(embedding(&[], 2).expect("points").is_empty());
        assert!(embedding(&[1.0; 3], 2).is_err());
        assert!(embedding(&[f32::INFINITY, 0.0], 2).is_err());
    }
}
