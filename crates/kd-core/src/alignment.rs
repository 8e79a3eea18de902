//! Which stages of two networks correspond.

use std::fmt;

use crate::Features;

/// Pairs of stages of a student and a teacher, in order: `pairs` as many in both.
///
/// ```
/// use kd_core::Alignment;
///
/// // Three stages and four, by the height and width of their maps; the stem comes first.
/// let resnet = [32, 32, 16, 8].map(|size| [16, size, size]);
/// let vgg = [32, 16, 8, 4, 4].map(|size| [64, size, size]);
/// let alignment = Alignment::nearest(&resnet, &vgg)?;
/// assert_eq!(alignment.pairs().collect::<Vec<_>>(), [(1, 1), (2, 2), (3, 4)]);
/// # Ok::<(), kd_core::AlignmentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment {
    student: Vec<usize>,
    teacher: Vec<usize>,
}

/// Stages that are not pairs, in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stages {student:?} of the student and {teacher:?} of the teacher: {reason}")]
pub struct AlignmentError {
    /// The student's.
    pub student: Vec<usize>,
    /// The teacher's.
    pub teacher: Vec<usize>,
    /// What is wrong with them.
    pub reason: &'static str,
}

impl Alignment {
    /// These stages, the stem being 0.
    ///
    /// # Errors
    ///
    /// If there are none, not as many for both, or if they do not increase.
    pub fn new(student: Vec<usize>, teacher: Vec<usize>) -> Result<Self, AlignmentError> {
        let increases = |stages: &[usize]| stages.is_sorted_by(|a, b| a < b);
        let reason = if student.is_empty() || student.len() != teacher.len() {
            "there must be at least one, and as many in both"
        } else if !increases(&student) || !increases(&teacher) {
            "each must come after the one before"
        } else {
            return Ok(Self { student, teacher });
        };
        Err(Self { student, teacher }.error(reason))
    }

    /// The error of these stages.
    pub fn error(&self, reason: &'static str) -> AlignmentError {
        AlignmentError {
            student: self.student.clone(),
            teacher: self.teacher.clone(),
            reason,
        }
    }

    /// Every stage of the network that has fewer, and those of the other whose maps are nearest in
    /// size.
    ///
    /// Of all ways that keep the order, the one is taken whose ratios of areas are together nearest
    /// to 1, and among equal ones that with the later stages. Maps are `[channels, height, width]`,
    /// the stem's first.
    ///
    /// # Errors
    ///
    /// If a network has no stage after its stem.
    pub fn nearest(student: &[[usize; 3]], teacher: &[[usize; 3]]) -> Result<Self, AlignmentError> {
        let stages = |maps: &[[usize; 3]]| (1..maps.len()).collect::<Vec<_>>();
        if student.len() <= teacher.len() {
            Self::new(stages(student), nearest(student, teacher))
        } else {
            Self::new(nearest(teacher, student), stages(teacher))
        }
    }

    /// Number of pairs, at least 1.
    pub fn count(&self) -> usize {
        self.student.len()
    }

    /// The pairs of stages of student and teacher.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.student
            .iter()
            .copied()
            .zip(self.teacher.iter().copied())
    }

    /// The student's and the teacher's stage of a pair.
    ///
    /// # Panics
    ///
    /// If there is no such pair.
    pub fn stages(&self, pair: usize) -> (usize, usize) {
        (self.student[pair], self.teacher[pair])
    }

    /// The student's stages.
    pub fn student(&self) -> &[usize] {
        &self.student
    }

    /// The teacher's stages.
    pub fn teacher(&self) -> &[usize] {
        &self.teacher
    }

    /// What belongs to the student's stem and to its stages, of a list over all stages; stages that
    /// are not in the list are left out.
    pub fn of_student<T: Clone>(&self, stages: &[T]) -> Vec<T> {
        select(&self.student, stages)
    }

    /// The same of the teacher.
    pub fn of_teacher<T: Clone>(&self, stages: &[T]) -> Vec<T> {
        select(&self.teacher, stages)
    }

    /// The student's features with the maps of its stages only.
    pub fn student_features(&self, features: &Features) -> Features {
        Features {
            maps: self.of_student(&features.maps),
            preact: self.of_student(&features.preact),
            ..features.clone()
        }
    }

    /// The teacher's features with the maps of its stages only.
    pub fn teacher_features(&self, features: &Features) -> Features {
        Features {
            maps: self.of_teacher(&features.maps),
            preact: self.of_teacher(&features.preact),
            ..features.clone()
        }
    }
}

impl fmt::Display for Alignment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { student, teacher } = self;
        write!(
            formatter,
            "stages {student:?} of the student and {teacher:?} of the teacher"
        )
    }
}

fn select<T: Clone>(cuts: &[usize], stages: &[T]) -> Vec<T> {
    let stem = (cuts.first() != Some(&0)).then_some(0);
    let chosen = stem.into_iter().chain(cuts.iter().copied());
    chosen
        .filter_map(|stage| stages.get(stage).cloned())
        .collect()
}

/// Stages of the longer network for each stage of the shorter one.
fn nearest(short: &[[usize; 3]], long: &[[usize; 3]]) -> Vec<usize> {
    let area = |[_, height, width]: [usize; 3]| ((height * width).max(1) as f64).log2();
    let cost = |i: usize, j: usize| (area(short[i]) - area(long[j])).abs();
    let (rows, columns) = (short.len(), long.len());
    // best[i][j]: the least cost of stages 1 to i with stage i at j.
    let mut best = vec![vec![f64::INFINITY; columns]; rows];
    let mut before = vec![vec![0; columns]; rows];
    for i in 1..rows {
        for j in i..columns {
            let (least, place) = match i {
                1 => (0.0, 0),
                _ => (i - 1..j).fold((f64::INFINITY, 0), |(least, place), p| {
                    if best[i - 1][p] <= least {
                        (best[i - 1][p], p)
                    } else {
                        (least, place)
                    }
                }),
            };
            best[i][j] = least + cost(i, j);
            before[i][j] = place;
        }
    }
    let Some(last) = rows.checked_sub(1).filter(|last| *last > 0) else {
        return Vec::new();
    };
    let mut stage = (last..columns).fold(last, |at, j| {
        if best[last][j] <= best[last][at] {
            j
        } else {
            at
        }
    });
    let mut chosen = vec![0; last];
    for i in (1..rows).rev() {
        chosen[i - 1] = stage;
        stage = before[i][stage];
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(sizes: &[usize]) -> Vec<[usize; 3]> {
        sizes.iter().map(|size| [8, *size, *size]).collect()
    }

    fn aligned(student: &[usize], teacher: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let found = Alignment::nearest(&maps(student), &maps(teacher)).expect("an alignment");
        (found.student, found.teacher)
    }

    #[test]
    fn networks_of_one_family_correspond_stage_by_stage() {
        let sizes = [32, 32, 16, 8];
        assert_eq!(aligned(&sizes, &sizes), (vec![1, 2, 3], vec![1, 2, 3]));
    }

    #[test]
    fn other_depths_correspond_where_maps_are_of_one_size() {
        // A ResNet with three stages and a VGG with four, both ways; of equal stages the later one.
        let (resnet, vgg) = ([32, 32, 16, 8], [32, 16, 8, 4, 4]);
        assert_eq!(aligned(&resnet, &vgg), (vec![1, 2, 3], vec![1, 2, 4]));
        assert_eq!(aligned(&vgg, &resnet), (vec![1, 2, 4], vec![1, 2, 3]));
        let four = [32, 32, 16, 8, 4];
        assert_eq!(aligned(&resnet, &four), (vec![1, 2, 3], vec![1, 2, 3]));
        let doubled = [32, 32, 32, 16, 16, 8, 8];
        assert_eq!(aligned(&doubled, &resnet), (vec![2, 4, 6], vec![1, 2, 3]));
    }

    #[test]
    fn stages_are_taken_with_the_stem() {
        let alignment = Alignment::new(vec![1, 2], vec![2, 4]).expect("an alignment");
        let stages = ['s', 'a', 'b', 'c', 'd'];
        assert_eq!(alignment.of_student(&stages), ['s', 'a', 'b']);
        assert_eq!(alignment.of_teacher(&stages), ['s', 'b', 'd']);
        assert_eq!(alignment.of_teacher(&stages[..0]), [' '; 0]);
    }

    #[test]
    fn stages_that_are_no_pairs_are_named() {
        let message = |student: &[usize], teacher: &[usize]| {
            let found = Alignment::new(student.to_vec(), teacher.to_vec());
            found.expect_err("no pairs").to_string()
        };
        assert!(message(&[1], &[1, 2]).contains("as many in both"));
        assert!(message(&[], &[]).contains("at least one"));
        assert!(message(&[2, 2], &[1, 2]).contains("[2, 2] of the student"));
        assert!(Alignment::nearest(&maps(&[32]), &maps(&[32, 16])).is_err());
    }
}
