//! What a method is initialized for.

use kd_core::{Alignment, Classifier, FeatureShapes, NormAffine};

use crate::{LossError, Pair};

/// What a method is initialized for: a pair of networks, and what some methods ask for besides.
///
/// ```
/// use kd_losses::{FeatureShapes, Setup};
///
/// let shapes = |channels| FeatureShapes {
///     maps: vec![[channels, 32, 32], [channels, 32, 32]],
///     pooled: channels,
///     classes: 100,
/// };
/// let setup = Setup::new(shapes(16), shapes(64)).with_samples(50_000).with_batch(64);
/// assert_eq!(setup.samples, Some(50_000));
/// ```
#[derive(Clone, Debug)]
pub struct Setup {
    /// Shapes of the student's features.
    pub student: FeatureShapes,
    /// Shapes of the teacher's features.
    pub teacher: FeatureShapes,
    /// Number of training samples (CRD).
    pub samples: Option<usize>,
    /// Labels of all training samples, in the order of their indices (CRD by class).
    pub labels: Option<Vec<usize>>,
    /// Samples in a batch (SemCKD).
    pub batch: Option<usize>,
    /// The teacher's classifier (SRRL).
    pub classifier: Option<Classifier>,
    /// The teacher's last batch norm of each stage, the stem's first (OFD by the statistics of
    /// the teacher).
    pub norms: Option<Vec<NormAffine>>,
}

impl Setup {
    /// A pair of networks.
    pub fn new(student: FeatureShapes, teacher: FeatureShapes) -> Self {
        Self {
            student,
            teacher,
            samples: None,
            labels: None,
            batch: None,
            classifier: None,
            norms: None,
        }
    }

    /// Sets the number of training samples.
    pub fn with_samples(mut self, samples: usize) -> Self {
        self.samples = Some(samples);
        self
    }

    /// Sets the labels of all training samples, and so their number.
    pub fn with_labels(mut self, labels: Vec<usize>) -> Self {
        self.samples = Some(labels.len());
        self.labels = Some(labels);
        self
    }

    /// Sets the number of samples in a batch.
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Sets the teacher's classifier.
    pub fn with_classifier(mut self, classifier: Classifier) -> Self {
        self.classifier = Some(classifier);
        self
    }

    /// Sets the teacher's last batch norm of each stage.
    pub fn with_norms(mut self, norms: Vec<NormAffine>) -> Self {
        self.norms = Some(norms);
        self
    }

    /// The same for the stages of an alignment only.
    pub(crate) fn aligned(&self, alignment: &Alignment) -> Self {
        let shapes = |shapes: &FeatureShapes, maps| FeatureShapes {
            maps,
            ..shapes.clone()
        };
        let [student, teacher] = [&self.student, &self.teacher];
        Self {
            student: shapes(student, alignment.of_student(&student.maps)),
            teacher: shapes(teacher, alignment.of_teacher(&teacher.maps)),
            norms: self.norms.as_deref().map(|n| alignment.of_teacher(n)),
            ..self.clone()
        }
    }

    /// Number of classes, if both networks have the same and at least `least` of them.
    pub(crate) fn classes(&self, method: &'static str, least: usize) -> Result<usize, LossError> {
        let (student, teacher) = (self.student.classes, self.teacher.classes);
        if student != teacher {
            return Err(LossError::Classes {
                method,
                student,
                teacher,
            });
        }
        if student < least {
            return Err(LossError::TooFewClasses {
                method,
                classes: student,
                least,
            });
        }
        Ok(student)
    }

    /// Shapes of the student's and the teacher's map of one stage.
    pub(crate) fn maps(
        &self,
        method: &'static str,
        stage: usize,
    ) -> Result<Pair<[usize; 3]>, LossError> {
        let of = |network, shapes: &FeatureShapes| {
            shapes
                .maps
                .get(stage)
                .copied()
                .ok_or(LossError::StageOutOfRange {
                    method,
                    network,
                    stage,
                    maps: shapes.maps.len(),
                })
        };
        Ok(Pair {
            student: of("student", &self.student)?,
            teacher: of("teacher", &self.teacher)?,
        })
    }

    /// Shapes of the student's and the teacher's map of one stage, or of each network's last.
    pub(crate) fn maps_at(
        &self,
        method: &'static str,
        stage: Option<usize>,
    ) -> Result<Pair<[usize; 3]>, LossError> {
        if let Some(stage) = stage {
            return self.maps(method, stage);
        }
        match (self.student.maps.last(), self.teacher.maps.last()) {
            (Some(student), Some(teacher)) => Ok(Pair {
                student: *student,
                teacher: *teacher,
            }),
            _ => self.maps(method, 0),
        }
    }

    /// Channels of both maps of every stage after the stem, if the networks have the same number of
    /// stages and at least one.
    pub(crate) fn stage_channels(
        &self,
        method: &'static str,
    ) -> Result<Vec<Pair<usize>>, LossError> {
        (1..=self.stages(method)?)
            .map(|stage| Ok(self.maps(method, stage)?.map(|[channels, ..]| channels)))
            .collect()
    }

    /// Lengths of the pooled features.
    pub(crate) fn pooled(&self) -> Pair<usize> {
        Pair {
            student: self.student.pooled,
            teacher: self.teacher.pooled,
        }
    }

    /// Number of stages after the stem, if both networks have the same and at least one.
    pub(crate) fn stages(&self, method: &'static str) -> Result<usize, LossError> {
        let stages = |shapes: &FeatureShapes| shapes.maps.len().saturating_sub(1);
        let (student, teacher) = (stages(&self.student), stages(&self.teacher));
        if student != teacher {
            return Err(LossError::StageCounts {
                method,
                student,
                teacher,
            });
        }
        if student == 0 {
            return Err(LossError::StageOutOfRange {
                method,
                network: "student",
                stage: 1,
                maps: self.student.maps.len(),
            });
        }
        Ok(student)
    }

    /// Something that only some methods ask for.
    pub(crate) fn require<T>(
        &self,
        method: &'static str,
        what: &'static str,
        value: Option<T>,
    ) -> Result<T, LossError> {
        value.ok_or(LossError::Incomplete { method, what })
    }
}
