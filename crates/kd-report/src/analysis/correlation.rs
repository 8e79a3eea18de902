//! How the logits of classes go together.

use rayon::prelude::*;

use super::Predictions;
use crate::ReportError;

/// The correlation matrix `[classes, classes]` of a network's logits over the images:
///
/// ```text
/// r_ij = cov(z_i, z_j) / √(var(z_i) · var(z_j))
/// ```
///
/// A class whose logit is the same for all images has no correlation: NaN.
pub fn correlation(predictions: &Predictions) -> Vec<Vec<f64>> {
    let columns: Vec<Option<Vec<f64>>> = (0..predictions.classes())
        .map(|class| standardized(predictions.rows().map(|row| f64::from(row[class]))))
        .collect();
    let product = |one: &Option<Vec<f64>>, other: &Option<Vec<f64>>| match (one, other) {
        (Some(one), Some(other)) => one.iter().zip(other).map(|(a, b)| a * b).sum(),
        _ => f64::NAN,
    };
    let row = |one| columns.iter().map(|other| product(one, other)).collect();
    columns.par_iter().map(row).collect()
}

/// The absolute difference of the correlation matrices of a teacher's and of a student's logits, as
/// Tian et al., Contrastive Representation Distillation, ICLR 2020, show it.
///
/// # Errors
///
/// [`ReportError::Predictions`] if they are not of the same images.
pub fn difference(
    teacher: &Predictions,
    student: &Predictions,
) -> Result<Vec<Vec<f64>>, ReportError> {
    teacher.check_beside(student)?;
    let rows = correlation(teacher).into_iter().zip(correlation(student));
    let row = |(teacher, student): (Vec<f64>, Vec<f64>)| {
        let both = teacher.into_iter().zip(student);
        both.map(|(teacher, student)| (teacher - student).abs())
            .collect()
    };
    Ok(rows.map(row).collect())
}

/// Values moved and scaled to mean 0 and sum of squares 1; `None` if they are all the same.
fn standardized(values: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    values.iter_mut().for_each(|value| *value /= norm);
    (norm > 1e-12).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[[f32; 3]]) -> Predictions {
        let labels = vec![0; rows.len()];
        Predictions::new(rows.concat(), labels, 3).expect("predictions")
    }

    #[test]
    fn correlations_are_pearsons() {
        // Of (1, 2, 3) and (2, 4, 7): covariance 5/3 by 3, variances 2/3 and 38/9.
        let found = correlation(&of(&[[1.0, 2.0, -1.0], [2.0, 4.0, -2.0], [3.0, 7.0, -3.0]]));
        let expected = (5.0 / 3.0) / (2.0f64 / 3.0 * 38.0 / 9.0).sqrt();
        assert!((found[0][1] - expected).abs() < 1e-12, "{}", found[0][1]);
        assert!((found[0][2] + 1.0).abs() < 1e-12);
        assert!((found[1][1] - 1.0).abs() < 1e-12);
        assert_eq!(found[0][1], found[1][0]);
    }

    #[test]
    fn the_difference_is_absolute_and_knows_no_constants() {
        let teacher = of(&[[1.0, 1.0, 5.0], [2.0, 2.0, 5.0]]);
        let student = of(&[[1.0, -1.0, 5.0], [2.0, -2.0, 4.0]]);
        let found = difference(&teacher, &student).expect("the same images");
        assert!((found[0][1] - 2.0).abs() < 1e-12);
        assert!(found[0][0].abs() < 1e-12);
        assert!(found[0][2].is_nan());
    }
}
