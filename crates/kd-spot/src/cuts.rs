//! Where two networks are cut.

use std::fmt;
use std::ops::RangeInclusive;

use kd_losses::Place;
use kd_models::FeatureShapes;

use crate::SpotError;

/// After which stages two networks are cut, so that each segment of one can take the place of a
/// segment of the other.
///
/// `k` cuts make `k + 1` segments, and as many *spots*: after each segment a choice is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cuts {
    student: Vec<usize>,
    teacher: Vec<usize>,
}

impl Cuts {
    /// Cuts after these stages, the stem being 0.
    ///
    /// # Errors
    ///
    /// [`SpotError::Cuts`] if there are none, not as many for both, or if they do not increase.
    pub fn new(student: Vec<usize>, teacher: Vec<usize>) -> Result<Self, SpotError> {
        let increases = |cuts: &[usize]| cuts.is_sorted_by(|a, b| a < b);
        let reason = if student.is_empty() || student.len() != teacher.len() {
            "there must be at least one, and as many in both"
        } else if !increases(&student) || !increases(&teacher) {
            "each must come after the one before"
        } else {
            return Ok(Self { student, teacher });
        };
        Err(Self { student, teacher }.error(reason))
    }

    /// The error of these cuts.
    pub(crate) fn error(&self, reason: &'static str) -> SpotError {
        SpotError::Cuts {
            student: self.student.clone(),
            teacher: self.teacher.clone(),
            reason,
        }
    }

    /// Cuts after every stage of the network that has fewer, and after those stages of the other
    /// whose maps are nearest in size.
    ///
    /// Of all ways that keep the order, the one is taken whose ratios of areas are together nearest
    /// to 1, and among equal ones that with the later stages. Maps are `[channels, height, width]`,
    /// the stem's first.
    ///
    /// # Errors
    ///
    /// [`SpotError::Cuts`] if a network has no stage after its stem.
    pub fn align(student: &[[usize; 3]], teacher: &[[usize; 3]]) -> Result<Self, SpotError> {
        let stages = |maps: &[[usize; 3]]| (1..maps.len()).collect::<Vec<_>>();
        let (own, others) = (stages(student), stages(teacher));
        if own.len() <= others.len() {
            let chosen = nearest(student, teacher);
            Self::new(own, chosen)
        } else {
            let chosen = nearest(teacher, student);
            Self::new(chosen, others)
        }
    }

    /// Cuts where a method acts: after [aligned](Self::align) stages, after one stage of both
    /// networks or the last, or after the pooling.
    ///
    /// # Errors
    ///
    /// As [`align`](Self::align).
    pub fn at(
        place: Place,
        student: &FeatureShapes,
        teacher: &FeatureShapes,
    ) -> Result<Self, SpotError> {
        let last = |shapes: &FeatureShapes| shapes.maps.len().saturating_sub(1);
        let (own, other) = match place {
            Place::Stages => return Self::align(&student.maps, &teacher.maps),
            Place::Map(Some(stage)) => (stage, stage),
            Place::Map(None) => (last(student), last(teacher)),
            // The logits are a spot of their own, after the last cut.
            Place::Pooled | Place::Logits => (student.maps.len(), teacher.maps.len()),
        };
        Self::new(vec![own], vec![other])
    }

    /// A name for each spot: `stem`, `stage 2`, `pooled`, by the student's stages, and `logits`.
    ///
    /// `pool` is the student's pooling stage.
    pub fn names(&self, pool: usize) -> Vec<String> {
        let cuts = self.student.iter().map(|stage| match *stage {
            0 => "stem".to_owned(),
            stage if stage == pool => "pooled".to_owned(),
            stage => format!("stage {stage}"),
        });
        cuts.chain(["logits".to_owned()]).collect()
    }

    /// Number of spots: one after each segment.
    pub fn spots(&self) -> usize {
        self.student.len() + 1
    }

    /// Number of cuts, at least 1.
    pub fn count(&self) -> usize {
        self.student.len()
    }

    /// The spot that chooses for a stage of the student: that of the first cut after it, or of the last
    /// cut.
    pub fn spot_of(&self, stage: usize) -> usize {
        let found = self.student.iter().position(|cut| *cut >= stage);
        found.unwrap_or(self.count() - 1)
    }

    /// The student's and the teacher's stage before a cut.
    pub fn stages(&self, cut: usize) -> (usize, usize) {
        (self.student[cut], self.teacher[cut])
    }

    /// What belongs to the student's stem and to its stages before the cuts, of a list of all stages;
    /// stages that are not in the list are left out.
    pub fn of_student<T: Clone>(&self, stages: &[T]) -> Vec<T> {
        select(&self.student, stages)
    }

    /// The same of the teacher.
    pub fn of_teacher<T: Clone>(&self, stages: &[T]) -> Vec<T> {
        select(&self.teacher, stages)
    }

    /// The student's stages of a segment; `head` is its last stage.
    pub(crate) fn student(&self, segment: usize, head: usize) -> RangeInclusive<usize> {
        range(&self.student, segment, head)
    }

    /// The teacher's stages of a segment.
    pub(crate) fn teacher(&self, segment: usize, head: usize) -> RangeInclusive<usize> {
        range(&self.teacher, segment, head)
    }
}

fn select<T: Clone>(cuts: &[usize], stages: &[T]) -> Vec<T> {
    let stem = (cuts.first() != Some(&0)).then_some(0);
    let chosen = stem.into_iter().chain(cuts.iter().copied());
    chosen
        .filter_map(|stage| stages.get(stage).cloned())
        .collect()
}

impl fmt::Display for Cuts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { student, teacher } = self;
        write!(
            formatter,
            "stages {student:?} of the student and {teacher:?} of the teacher"
        )
    }
}

fn range(cuts: &[usize], segment: usize, head: usize) -> RangeInclusive<usize> {
    let first = match segment {
        0 => 0,
        segment => cuts[segment - 1] + 1,
    };
    first..=cuts.get(segment).copied().unwrap_or(head)
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
        let cuts = Cuts::align(&maps(student), &maps(teacher)).expect("cuts");
        (cuts.student, cuts.teacher)
    }

    #[test]
    fn networks_of_one_family_are_cut_after_every_stage() {
        let sizes = [32, 32, 16, 8];
        assert_eq!(aligned(&sizes, &sizes), (vec![1, 2, 3], vec![1, 2, 3]));
    }

    #[test]
    fn other_depths_are_cut_where_maps_are_of_one_size() {
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
    fn segments_are_all_stages_in_order() {
        let cuts = Cuts::new(vec![1, 2], vec![2, 4]).expect("cuts");
        assert_eq!((cuts.spots(), cuts.count()), (3, 2));
        let sparse = Cuts::new(vec![1, 3], vec![1, 3]).expect("cuts");
        assert_eq!(
            [0, 1, 2, 3, 4].map(|stage| sparse.spot_of(stage)),
            [0, 0, 1, 1, 1]
        );
        let ranges = |of: fn(&Cuts, usize, usize) -> RangeInclusive<usize>, head| {
            (0..3).map(|i| of(&cuts, i, head)).collect::<Vec<_>>()
        };
        assert_eq!(ranges(Cuts::student, 5), [0..=1, 2..=2, 3..=5]);
        assert_eq!(ranges(Cuts::teacher, 6), [0..=2, 3..=4, 5..=6]);
    }

    #[test]
    fn stages_are_taken_with_the_stem() {
        let cuts = Cuts::new(vec![1, 2], vec![2, 4]).expect("cuts");
        let stages = ['s', 'a', 'b', 'c', 'd'];
        assert_eq!(cuts.of_student(&stages), ['s', 'a', 'b']);
        assert_eq!(cuts.of_teacher(&stages), ['s', 'b', 'd']);
        assert_eq!(cuts.of_teacher(&stages[..0]), [' '; 0]);
    }

    #[test]
    fn cuts_that_are_no_pairs_are_said() {
        let message = |student: &[usize], teacher: &[usize]| {
            let cuts = Cuts::new(student.to_vec(), teacher.to_vec());
            cuts.expect_err("no cuts").to_string()
        };
        assert!(message(&[1], &[1, 2]).contains("as many in both"));
        assert!(message(&[], &[]).contains("at least one"));
        assert!(message(&[2, 2], &[1, 2]).contains("[2, 2] of the student"));
        assert!(Cuts::align(&maps(&[32]), &maps(&[32, 16])).is_err());
    }
}
