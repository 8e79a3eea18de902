//! What only some networks can do, beyond being a list of stages.

use burn::tensor::{Device, Tensor};
use kd_core::Network;

use crate::Folding;
use crate::layers::tally;

/// A network whose parameters have names in PyTorch's `state_dict`.
pub trait PytorchKeys: Network {
    /// The `state_dict` key that PyTorch users know for the module path of a parameter.
    fn pytorch_key(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A network whose batch norms can be folded into its convolutions.
pub trait Foldable: Network {
    /// What [`deploy`](Foldable::deploy) and [`fold_batch_norm`](Foldable::fold_batch_norm) do to a
    /// network in evaluation form (`valid()`). To be called through them.
    fn folded(self, folding: Folding) -> Self;

    /// Folds re-parameterizable units into plain convolutions; other networks stay as they are.
    ///
    /// The result computes the same in evaluation, to rounding, and is meant for that alone: it is
    /// on the plain device. It has the parameters and the speed of the plain network, and the keys
    /// that KDrefine gives to its deployed networks. Running statistics are read as they are now.
    fn deploy(self) -> Self {
        self.valid().folded(Folding::Units)
    }

    /// Folds every batch norm that follows a convolution, re-parameterizable units included.
    ///
    /// In PyTorch's `state_dict`, the keys of a folded batch norm are gone and its convolution has
    /// a bias: what `torch.nn.utils.fuse_conv_bn_eval` leaves. As for
    /// [`deploy`](Foldable::deploy), the result is for evaluation.
    fn fold_batch_norm(self) -> Self {
        self.valid().folded(Folding::All)
    }
}

/// A network built of this crate's layers, which count what they compute.
pub trait CountMacs: Network {
    /// Multiply-accumulates of convolutions and linear layers for one image of
    /// `[channels, height, width]`, found by running a blank one in evaluation mode. Twice as
    /// many are the floating-point operations.
    fn macs(&self, input: [usize; 3], device: &Device) -> u64 {
        let device = device.clone().without_autodiff();
        let [channels, height, width] = input;
        let image = Tensor::zeros([1, channels, height, width], &device);
        tally::count(|| self.valid().forward(image)).1
    }
}
