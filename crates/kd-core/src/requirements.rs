//! Where a loss acts and what it reads: one value, from which everything else follows.

use std::fmt;

use serde::Serialize;

/// Where in the networks a loss acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// At every stage but the stem, each a spot of its own. The stages of both networks are
    /// compared in pairs.
    EachStage,
    /// At all stages together: one spot, after the last.
    AllStages,
    /// At the map of one stage (the stem is 0), or at each network's last.
    Stage(Option<usize>),
    /// At the pooled feature.
    Pooled,
    /// At the logits.
    Logits,
    /// At the labels: the teacher is not compared with, so that routing does not touch the loss.
    Labels,
}

/// How much of the teacher a loss reads. Logits and pooled features are small enough to be kept for
/// every image, so that a teacher need not run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// Nothing.
    Nothing,
    /// The logits alone.
    Logits,
    /// The pooled features, perhaps with the logits.
    Pooled,
    /// Maps, or the network itself.
    Maps,
}

/// Where a loss acts, and what it reads besides maps after the activation, pooled features and
/// logits.
///
/// ```
/// use kd_core::{Reads, Requirements, Site};
///
/// let requirements = Requirements::at(Site::Pooled).with_labels();
/// assert_eq!(requirements.reads(), Reads::Pooled);
/// assert_eq!(requirements.spots(3), 1);
/// assert_eq!(requirements.to_string(), "pooled features, and labels");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Requirements {
    /// Where it acts.
    pub site: Site,
    /// Whether both networks must have the same number of stages.
    pub paired: bool,
    /// Labels of the samples.
    pub labels: bool,
    /// Indices of the samples in the training set.
    pub indices: bool,
    /// Maps before the activation.
    pub preact: bool,
    /// The images, and the networks themselves.
    pub networks: bool,
    /// A copy of some of the teacher's weights, so that the teacher cannot be trained.
    pub teacher_weights: bool,
    /// Whether the loss can train the teacher too: asked to, it sends gradients into the teacher's
    /// features, as far as the method's public code does.
    pub teacher_gradient: bool,
}

impl Requirements {
    /// A loss that acts at a site and reads nothing else.
    pub const fn at(site: Site) -> Self {
        Self {
            site,
            paired: matches!(site, Site::EachStage),
            labels: matches!(site, Site::Labels),
            indices: false,
            preact: false,
            networks: false,
            teacher_weights: false,
            teacher_gradient: false,
        }
    }

    /// Also needs the same number of stages in both networks.
    pub const fn with_pairs(mut self) -> Self {
        self.paired = true;
        self
    }

    /// Also reads labels.
    pub const fn with_labels(mut self) -> Self {
        self.labels = true;
        self
    }

    /// Also reads the indices of the samples.
    pub const fn with_indices(mut self) -> Self {
        self.indices = true;
        self
    }

    /// Also reads maps before the activation.
    pub const fn with_preact(mut self) -> Self {
        self.preact = true;
        self
    }

    /// Also reads the images and the networks themselves.
    pub const fn with_networks(mut self) -> Self {
        self.networks = true;
        self
    }

    /// Also copies some of the teacher's weights.
    pub const fn with_teacher_weights(mut self) -> Self {
        self.teacher_weights = true;
        self
    }

    /// Can also train the teacher.
    pub const fn with_teacher_gradient(mut self) -> Self {
        self.teacher_gradient = true;
        self
    }

    /// How much of the teacher is read.
    pub fn reads(&self) -> Reads {
        match self.site {
            _ if self.networks => Reads::Maps,
            Site::EachStage | Site::AllStages | Site::Stage(_) => Reads::Maps,
            Site::Pooled => Reads::Pooled,
            Site::Logits => Reads::Logits,
            Site::Labels => Reads::Nothing,
        }
    }

    /// Number of spots, each with a gate of its own, in networks of `stages` stages after the stem.
    pub fn spots(&self, stages: usize) -> usize {
        match self.site {
            Site::EachStage => stages,
            Site::Labels => 0,
            _ => 1,
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EachStage => formatter.write_str("each stage"),
            Self::AllStages => formatter.write_str("all stages together"),
            Self::Stage(None) => formatter.write_str("the last stage"),
            Self::Stage(Some(0)) => formatter.write_str("the stem"),
            Self::Stage(Some(stage)) => write!(formatter, "stage {stage}"),
            Self::Pooled => formatter.write_str("pooled features"),
            Self::Logits => formatter.write_str("logits"),
            Self::Labels => formatter.write_str("labels"),
        }
    }
}

impl fmt::Display for Requirements {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.site.fmt(formatter)?;
        if self.preact {
            formatter.write_str(" before the activation")?;
        }
        let others = [
            (self.labels && self.site != Site::Labels, "labels"),
            (self.indices, "sample indices"),
            (self.networks, "gradients of the networks"),
        ];
        for (_, name) in others.into_iter().filter(|(read, _)| *read) {
            write!(formatter, ", and {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_follows_from_the_site() {
        let reads = |site| Requirements::at(site).reads();
        assert_eq!(reads(Site::EachStage), Reads::Maps);
        assert_eq!(reads(Site::Stage(None)), Reads::Maps);
        assert_eq!(reads(Site::Pooled), Reads::Pooled);
        assert_eq!(reads(Site::Logits), Reads::Logits);
        assert_eq!(reads(Site::Labels), Reads::Nothing);
        let differentiated = Requirements::at(Site::Logits).with_networks();
        assert_eq!(differentiated.reads(), Reads::Maps);
    }

    #[test]
    fn only_losses_at_each_stage_have_many_spots_and_need_pairs() {
        let each = Requirements::at(Site::EachStage);
        assert_eq!((each.spots(4), each.paired), (4, true));
        let all = Requirements::at(Site::AllStages);
        assert_eq!((all.spots(4), all.paired), (1, false));
        assert!(all.with_pairs().paired);
        assert_eq!(Requirements::at(Site::Labels).spots(4), 0);
    }

    #[test]
    fn it_says_itself() {
        let text = Requirements::at(Site::EachStage).with_preact().to_string();
        assert_eq!(text, "each stage before the activation");
        let text = Requirements::at(Site::Stage(Some(2))).with_networks();
        assert_eq!(text.to_string(), "stage 2, and gradients of the networks");
        assert_eq!(Requirements::at(Site::Labels).to_string(), "labels");
    }
}
