//! How much a student is like its teacher.

use super::Predictions;
use super::predictions::log_softmax;
use crate::ReportError;

/// How much a student is like its teacher on the same images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Share of the images for which both choose the same class, right or wrong, in [0, 1].
    pub top1: f64,
    /// The mean divergence of the student's probabilities from the teacher's, in nats.
    pub divergence: f64,
}

/// Top-1 agreement and mean `KL(teacher ‖ student)` at temperature 1:
///
/// ```text
/// KL = 1/N Σ_x Σ_c p_T(c|x) · (ln p_T(c|x) − ln p_S(c|x))
/// ```
///
/// As Stanton et al., Does Knowledge Distillation Really Work?, NeurIPS 2021, measure fidelity.
///
/// # Errors
///
/// [`ReportError::Predictions`] if they are not of the same images.
pub fn agreement(teacher: &Predictions, student: &Predictions) -> Result<Agreement, ReportError> {
    teacher.check_beside(student)?;
    let images = teacher.len() as f64;
    let choices = teacher.choices().iter().zip(student.choices());
    let same = choices.filter(|(teacher, student)| teacher == student);
    let divergence = |(teacher, student): (&[f32], &[f32])| -> f64 {
        let both = log_softmax(teacher).into_iter().zip(log_softmax(student));
        both.map(|(teacher, student)| teacher.exp() * (teacher - student))
            .sum()
    };
    let divergences = teacher.rows().zip(student.rows()).map(divergence);
    Ok(Agreement {
        top1: same.count() as f64 / images,
        divergence: divergences.sum::<f64>() / images,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_does_not_ask_who_is_right() {
        // Teacher: (3/4, 1/4) and (1/2, 1/2); student: (1/4, 3/4) and (1/2, 1/2).
        let ln3 = 3f32.ln();
        let of = |rows: [f32; 4]| Predictions::new(rows.to_vec(), vec![1, 1], 2);
        let teacher = of([ln3, 0.0, 0.0, 0.0]).expect("predictions");
        let student = of([0.0, ln3, 0.0, 0.0]).expect("predictions");
        let found = agreement(&teacher, &student).expect("the same images");
        assert_eq!(found.top1, 0.5);
        // Of the first image: 3/4 ln 3 − 1/4 ln 3.
        let expected = 0.5 * 3f64.ln() / 2.0;
        assert!((found.divergence - expected).abs() < 1e-7);
        let same = agreement(&teacher, &teacher).expect("the same images");
        assert_eq!((same.top1, same.divergence), (1.0, 0.0));
    }
}
