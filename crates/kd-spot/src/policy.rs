//! The policy network.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::constant::constant;

/// Configuration of a [`Policy`].
#[derive(Config, Debug)]
pub struct PolicyConfig {
    /// Length of the student's pooled feature.
    pub student: usize,
    /// Length of the teacher's.
    pub teacher: usize,
    /// Number of spots.
    pub spots: usize,
}

/// One linear layer from the pooled features of both networks to two numbers for each spot: in favor
/// of the teacher, and of the student.
#[derive(Module, Debug)]
pub struct Policy {
    /// The layer; the teacher's feature comes first.
    pub net: Linear,
}

impl PolicyConfig {
    /// Initializes the policy as PyTorch does by default.
    pub fn init(&self, device: &Device) -> Policy {
        Policy {
            net: LinearConfig::new(self.student + self.teacher, 2 * self.spots).init(device),
        }
    }
}

impl Policy {
    /// Logits of the gates. Features are constants here: the policy does not train the networks.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, student]`
    /// - teacher: `[batch, teacher]`
    /// - output: `[batch, spots, 2]`, the teacher's first
    pub fn forward(&self, student: Tensor<2>, teacher: Tensor<2>) -> Tensor<3> {
        let rows = Tensor::cat(vec![teacher.inner(), student.inner()], 1);
        let tracked = self.net.weight.val().is_autodiff();
        let logits = self.net.forward(constant(rows, tracked));
        let [batch, numbers] = logits.dims();
        logits.reshape([batch, numbers / 2, 2])
    }
}
