//! Where two networks are cut.

use std::fmt;
use std::ops::Range;

use kd_core::{Alignment, FeatureShapes, Site};

use crate::SpotError;

/// After which stages two networks are cut, so that each segment of one can take the place of a
/// segment of the other.
///
/// `k` cuts make `k + 1` segments, and as many *spots*: after each segment a choice is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cuts(Alignment);

impl Cuts {
    /// Cuts after these stages, the stem being 0.
    ///
    /// # Errors
    ///
    /// [`SpotError::Cuts`] if there are none, not as many for both, or if they do not increase.
    pub fn new(student: Vec<usize>, teacher: Vec<usize>) -> Result<Self, SpotError> {
        Ok(Self(Alignment::new(student, teacher)?))
    }

    /// Cuts where losses act: after [aligned](Alignment::nearest) stages if one acts at each of
    /// them, else after the stages at which they act, which is the pooling for losses of the
    /// logits.
    ///
    /// # Errors
    ///
    /// [`SpotError::Cuts`] if a network has no stage after its stem.
    pub fn at(
        sites: &[Site],
        student: &FeatureShapes,
        teacher: &FeatureShapes,
    ) -> Result<Self, SpotError> {
        if sites.contains(&Site::EachStage) {
            return Ok(Self(Alignment::nearest(&student.maps, &teacher.maps)?));
        }
        let last = [student.stages(), teacher.stages()];
        let pool = [student.maps.len(), teacher.maps.len()];
        let mut cuts: Vec<[usize; 2]> = sites
            .iter()
            .filter_map(|site| match site {
                Site::EachStage | Site::Logits | Site::Labels => None,
                Site::AllStages | Site::Stage(None) => Some(last),
                Site::Stage(Some(stage)) => Some([*stage; 2]),
                Site::Pooled => Some(pool),
            })
            .collect();
        if cuts.is_empty() {
            // The logits are a spot of their own, after the last cut.
            cuts.push(pool);
        }
        cuts.sort_unstable();
        // Where both come after the cut before; of a stage that stands for several, the first.
        let mut kept: Vec<[usize; 2]> = Vec::new();
        for cut in cuts {
            if kept
                .last()
                .is_none_or(|last| last[0] < cut[0] && last[1] < cut[1])
            {
                kept.push(cut);
            }
        }
        let of = |network: usize| kept.iter().map(|cut| cut[network]).collect();
        Self::new(of(0), of(1))
    }

    /// The error of these cuts.
    pub(crate) fn error(&self, reason: &'static str) -> SpotError {
        SpotError::Cuts(self.0.error(reason))
    }

    /// A name for each spot: `stem`, `stage 2`, `pooled`, by the student's stages, and `logits`.
    ///
    /// `pool` is the student's pooling stage.
    pub fn names(&self, pool: usize) -> Vec<String> {
        let cuts = self.0.student().iter().map(|stage| match *stage {
            0 => "stem".to_owned(),
            stage if stage == pool => "pooled".to_owned(),
            stage => format!("stage {stage}"),
        });
        cuts.chain(["logits".to_owned()]).collect()
    }

    /// Number of spots: one after each segment.
    pub fn spots(&self) -> usize {
        self.0.count() + 1
    }

    /// Number of cuts, at least 1.
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// The spot that chooses for a stage of the student: that of the first cut after it, or of the
    /// last cut. Without a stage, that of the logits.
    pub fn spot_of(&self, stage: Option<usize>) -> usize {
        let Some(stage) = stage else {
            return self.count();
        };
        let found = self.0.student().iter().position(|cut| *cut >= stage);
        found.unwrap_or(self.count() - 1)
    }

    /// The student's and the teacher's stage before a cut.
    pub fn stages(&self, cut: usize) -> (usize, usize) {
        self.0.stages(cut)
    }

    /// The student's stages of a segment; `head` is its last stage.
    pub(crate) fn student(&self, segment: usize, head: usize) -> Range<usize> {
        range(self.0.student(), segment, head)
    }

    /// The teacher's stages of a segment.
    pub(crate) fn teacher(&self, segment: usize, head: usize) -> Range<usize> {
        range(self.0.teacher(), segment, head)
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

fn range(cuts: &[usize], segment: usize, head: usize) -> Range<usize> {
    let first = match segment {
        0 => 0,
        segment => cuts[segment - 1] + 1,
    };
    first..cuts.get(segment).copied().unwrap_or(head) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(sizes: &[usize]) -> FeatureShapes {
        FeatureShapes {
            maps: sizes.iter().map(|size| [8, *size, *size]).collect(),
            pooled: 8,
            classes: 2,
        }
    }

    #[test]
    fn networks_are_cut_where_losses_act() {
        let (student, teacher) = (shapes(&[32, 32, 16, 8]), shapes(&[32, 16, 8, 4, 4]));
        let cuts = |sites: &[Site]| {
            let cuts = Cuts::at(sites, &student, &teacher).expect("cuts");
            cuts.0.pairs().collect::<Vec<_>>()
        };
        assert_eq!(cuts(&[Site::EachStage]), [(1, 1), (2, 2), (3, 4)]);
        assert_eq!(cuts(&[Site::Logits, Site::Labels]), [(4, 5)]);
        assert_eq!(cuts(&[Site::Stage(None)]), [(3, 4)]);
        assert_eq!(cuts(&[Site::Stage(Some(2)), Site::Logits]), [(2, 2)]);
        // Several losses: all their places, in order and once.
        let several = [Site::Pooled, Site::Stage(Some(1)), Site::Stage(Some(1))];
        assert_eq!(cuts(&several), [(1, 1), (4, 5)]);
        assert_eq!(
            cuts(&[Site::Pooled, Site::EachStage]),
            [(1, 1), (2, 2), (3, 4)]
        );
    }

    #[test]
    fn segments_are_all_stages_in_order() {
        let cuts = Cuts::new(vec![1, 2], vec![2, 4]).expect("cuts");
        assert_eq!((cuts.spots(), cuts.count()), (3, 2));
        let sparse = Cuts::new(vec![1, 3], vec![1, 3]).expect("cuts");
        assert_eq!(
            [Some(0), Some(1), Some(2), Some(3), Some(4), None].map(|stage| sparse.spot_of(stage)),
            [0, 0, 1, 1, 1, 2]
        );
        let ranges = |of: fn(&Cuts, usize, usize) -> Range<usize>, head| {
            (0..3).map(|i| of(&cuts, i, head)).collect::<Vec<_>>()
        };
        assert_eq!(ranges(Cuts::student, 5), [0..2, 2..3, 3..6]);
        assert_eq!(ranges(Cuts::teacher, 6), [0..3, 3..5, 5..7]);
    }
}
