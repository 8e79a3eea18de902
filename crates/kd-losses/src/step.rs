//! What a method reads in one step of training.

use burn::tensor::{Device, Int, Tensor};
use kd_core::{DifferentiableHead, Features};
use kd_nn::Draws;

use crate::Gate;
use crate::gate::gate_at;

/// What a method reads in one step: the features of both networks, and what some methods ask for
/// besides.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// The student's features, in the graph.
    pub student: &'a Features,
    /// The teacher's features; they are constants, whatever graph they come from, unless the
    /// [step trains the teacher](Self::training_teacher).
    pub teacher: &'a Features,
    pub(crate) labels: Option<&'a Tensor<1, Int>>,
    pub(crate) indices: Option<&'a Tensor<1, Int>>,
    pub(crate) images: Option<&'a Tensor<4>>,
    pub(crate) networks: Option<[&'a dyn DifferentiableHead; 2]>,
    pub(crate) gates: &'a [Gate],
    pub(crate) by_share: bool,
    pub(crate) trains_teacher: bool,
    /// Absent: long after any warm-up.
    pub(crate) epoch: Option<&'a Tensor<1>>,
    /// Absent: the device's own generator.
    pub(crate) draws: Option<&'a Draws>,
}

impl<'a> Step<'a> {
    /// Features of both networks for the same batch, all samples distilled.
    pub fn new(student: &'a Features, teacher: &'a Features) -> Self {
        Self {
            student,
            teacher,
            labels: None,
            indices: None,
            images: None,
            networks: None,
            gates: &[],
            by_share: false,
            trains_teacher: false,
            epoch: None,
            draws: None,
        }
    }

    /// Sets the labels, `[batch]`.
    pub fn with_labels(mut self, labels: &'a Tensor<1, Int>) -> Self {
        self.labels = Some(labels);
        self
    }

    /// Sets the indices of the samples in the training set, `[batch]`.
    pub fn with_indices(mut self, indices: &'a Tensor<1, Int>) -> Self {
        self.indices = Some(indices);
        self
    }

    /// Sets the images, `[batch, 3, height, width]`.
    pub fn with_images(mut self, images: &'a Tensor<4>) -> Self {
        self.images = Some(images);
        self
    }

    /// Sets the networks themselves.
    pub fn with_networks(
        mut self,
        student: &'a dyn DifferentiableHead,
        teacher: &'a dyn DifferentiableHead,
    ) -> Self {
        self.networks = Some([student, teacher]);
        self
    }

    /// Sets the gates: one for all spots, or one for each spot of the method
    /// ([`Requirements::spots`](kd_core::Requirements::spots)).
    pub fn with_gates(mut self, gates: &'a [Gate]) -> Self {
        self.gates = gates;
        self
    }

    /// Multiplies the loss at each spot by the share of the samples that its gate chooses, so that a
    /// spot weighs as much as it has samples: the convention of spot-adaptive distillation (Song et
    /// al. 2022, <https://arxiv.org/abs/2205.02399>). Parts that are over all samples under any gate
    /// are left as they are.
    pub fn scaled_by_share(mut self) -> Self {
        self.by_share = true;
        self
    }

    /// Lets gradients flow into the teacher's features too, for a teacher that is trained on the same
    /// loss. Only losses whose [`Requirements`](kd_core::Requirements::teacher_gradient) say so do
    /// this; for all others, the teacher's features stay constants.
    pub fn training_teacher(mut self) -> Self {
        self.trains_teacher = true;
        self
    }

    /// Sets the number of the epoch, which counts from 1, for losses with a warm-up: `[1]`, on the
    /// device, so that a step is the same program in every epoch. Without it, their weight is the
    /// full one.
    pub fn with_epoch(mut self, epoch: &'a Tensor<1>) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Sets where random numbers come from: a stream of draws for this method alone. Without it, they
    /// are the device's own.
    pub fn with_draws(mut self, draws: &'a Draws) -> Self {
        self.draws = Some(draws);
        self
    }

    /// Random numbers in `[0, 1)` on the plain device, for a method that draws; one that draws twice
    /// names another `place` for each.
    pub fn uniform<const D: usize>(
        &self,
        place: u32,
        shape: [usize; D],
        device: &Device,
    ) -> Tensor<D> {
        kd_nn::uniform(self.draws, place, shape, device)
    }

    /// Checks what holds for every method.
    ///
    /// # Panics
    ///
    /// If the batches are empty or of different sizes, or if gates are for other batches.
    #[track_caller]
    pub(crate) fn check(&self, method: &str) {
        let (student_shape, teacher_shape) =
            (self.student.logits.dims(), self.teacher.logits.dims());
        assert!(
            student_shape[0] == teacher_shape[0] && student_shape[0] > 0,
            "{method}: the student's logits are {student_shape:?}, the teacher's are {teacher_shape:?}: \
             one batch of at least one sample is needed"
        );
        let batch = student_shape[0];
        for (network, features) in [("student", self.student), ("teacher", self.teacher)] {
            let maps = features.maps.iter().chain(&features.preact);
            let maps = maps.map(|map| map.dims().to_vec());
            for dims in maps.chain([features.pooled.dims().to_vec()]) {
                assert_eq!(
                    dims[0], batch,
                    "{method}: a feature of the {network} is {dims:?}, its logits are of a batch \
                     of {batch}"
                );
            }
        }
        let integers = [self.labels, self.indices].into_iter().flatten();
        let lengths = integers.map(|values| values.dims()[0]);
        for length in lengths.chain(self.images.map(|images| images.dims()[0])) {
            assert_eq!(
                length, batch,
                "{method}: there are {length} labels, indices or images for a batch of {batch}"
            );
        }
        for entries in self.gates.iter().filter_map(Gate::entries) {
            let (found, batch) = (entries.dims(), student_shape[0]);
            assert_eq!(
                found,
                [batch],
                "{method}: a gate of {found:?} does not fit a batch of {batch}"
            );
        }
    }

    /// Checks that there are as many gates as spots, or one for all.
    ///
    /// # Panics
    ///
    /// If there is another number of gates.
    #[track_caller]
    pub(crate) fn check_gates(&self, name: &str, spots: usize) {
        let gates = self.gates.len();
        assert!(
            gates <= 1 || gates == spots,
            "{name}: there are {gates} gates for {spots} spots: give one for all, or one for each"
        );
    }

    /// The same step for the stages of an alignment only.
    pub(crate) fn with_features<'b>(self, student: &'b Features, teacher: &'b Features) -> Step<'b>
    where
        'a: 'b,
    {
        Step {
            student,
            teacher,
            ..self
        }
    }

    /// The gate of a spot: which samples are distilled there.
    ///
    /// # Panics
    ///
    /// If there are several gates and none for this spot.
    pub fn gate(&self, spot: usize) -> Gate {
        gate_at(self.gates, spot)
            .by_share(self.by_share)
            .training_teacher(self.trains_teacher)
    }

    /// The gates of so many spots, for losses that take one for each.
    pub(crate) fn gates_of(&self, spots: usize) -> Vec<Gate> {
        (0..spots).map(|spot| self.gate(spot)).collect()
    }

    /// The loss of a spot, multiplied by the share of its gate if this step asks for it.
    pub fn scaled(&self, spot: usize, loss: Tensor<1>) -> Tensor<1> {
        self.gate(spot).scaled(loss)
    }

    /// The mean over the samples that are distilled at a spot of one value a sample, `[batch]` to
    /// `[1]`, multiplied by their share if this step asks for it.
    pub fn mean_over_chosen(&self, spot: usize, values: Tensor<1>) -> Tensor<1> {
        let gate = self.gate(spot);
        gate.scaled(gate.mean(values))
    }

    /// A loss multiplied by the factor of a warm-up over so many epochs, `min(epoch / epochs, 1)`.
    pub fn warmed_up(&self, loss: Tensor<1>, epochs: usize) -> Tensor<1> {
        match self.epoch {
            Some(epoch) if epochs > 0 => {
                let factor = (epoch.clone().inner() / epochs as f64).clamp_max(1.0);
                loss.clone() * factor.cast(loss.dtype())
            }
            _ => loss,
        }
    }

    /// The sum of a loss over all stages but the stem, each a spot; `loss` takes the spot, the
    /// student's and the teacher's map, and the gate.
    ///
    /// # Panics
    ///
    /// Unless both networks have the same number of stages, at least one.
    #[track_caller]
    pub fn over_stages(
        &self,
        loss: impl Fn(usize, Tensor<4>, Tensor<4>, &Gate) -> Tensor<1>,
    ) -> Tensor<1> {
        let (student_maps, teacher_maps) = (self.student.maps.len(), self.teacher.maps.len());
        assert!(
            student_maps == teacher_maps && student_maps > 1,
            "the student has {student_maps} maps with the stem's, the teacher {teacher_maps}: the same number is \
             needed, and a stage"
        );
        let maps = self.student.maps.iter().zip(&self.teacher.maps).skip(1);
        let losses = maps.enumerate().map(|(spot, (student, teacher))| {
            let gate = self.gate(spot);
            gate.scaled(loss(spot, student.clone(), teacher.clone(), &gate))
        });
        match losses.reduce(|sum, loss| sum + loss) {
            Some(sum) => sum,
            None => unreachable!("there is a stage"),
        }
    }

    /// The student's and the teacher's map of one stage, or of each network's last.
    ///
    /// # Panics
    ///
    /// If a network has no such map.
    #[track_caller]
    pub fn maps_at(&self, stage: Option<usize>) -> (Tensor<4>, Tensor<4>) {
        let [student, teacher] = [self.student, self.teacher].map(|features| {
            let last = features.maps.len().saturating_sub(1);
            let (stage, count) = (stage.unwrap_or(last), features.maps.len());
            assert!(
                stage < count,
                "there is no map of stage {stage}: there are {count} maps"
            );
            features.maps[stage].clone()
        });
        (student, teacher)
    }

    /// The labels, for a method that cannot do without.
    ///
    /// # Panics
    ///
    /// If they are not there.
    #[track_caller]
    pub fn expect_labels(&self, method: &str) -> Tensor<1, Int> {
        match self.labels {
            Some(labels) => labels.clone(),
            None => panic!("{method} needs the labels of the batch: call `Step::with_labels`"),
        }
    }

    /// The indices of the samples in the training set, for a method that cannot do without.
    ///
    /// # Panics
    ///
    /// If they are not there.
    #[track_caller]
    pub fn expect_indices(&self, method: &str) -> Tensor<1, Int> {
        match self.indices {
            Some(indices) => indices.clone(),
            None => panic!("{method} needs the indices of the samples: call `Step::with_indices`"),
        }
    }

    /// The images, for a method that cannot do without.
    ///
    /// # Panics
    ///
    /// If they are not there.
    #[track_caller]
    pub fn expect_images(&self, method: &str) -> Tensor<4> {
        match self.images {
            Some(images) => images.clone(),
            None => panic!("{method} needs the images of the batch: call `Step::with_images`"),
        }
    }

    /// The student and the teacher themselves, for a method that cannot do without.
    ///
    /// # Panics
    ///
    /// If they are not there.
    #[track_caller]
    pub fn expect_networks(&self, method: &str) -> [&'a dyn DifferentiableHead; 2] {
        match self.networks {
            Some(networks) => networks,
            None => panic!("{method} needs the networks: call `Step::with_networks`"),
        }
    }
}
