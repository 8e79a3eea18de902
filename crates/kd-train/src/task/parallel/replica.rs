//! Copies of a task on other devices.

use burn::module::Module;
use burn::tensor::Device;
use kd_core::{Frozen, Network};
use kd_losses::DistillationLoss;

use super::super::DistillTask;

impl<S: Network, T: Network, L: DistillationLoss> DistillTask<S, T, L> {
    /// A copy on another plain device, which draws from a step of a seed on and keeps no average.
    pub(super) fn replica(&self, device: &Device, (seed, step): (u64, usize)) -> Self {
        let training = device.clone().autodiff();
        let mut model = self.model.clone();
        let teacher = model.teacher.0.take();
        let routing = model.routing.take();
        // A clone shares running statistics and to move it moves them; what `valid` makes does not.
        model = model.valid().train().fork(&training);
        model.teacher = Frozen(teacher.map(|teacher| teacher.replica(device)));
        model.routing = routing.map(|routing| routing.replica(&training));
        let epoch = self.epoch.clone();
        let mut copy = Self {
            model,
            optimizer: self.optimizer.clone(),
            ema: None,
            clip_norm: self.clip_norm,
            groups: self.groups.clone(),
            rates: self.rates.clone(),
            device: device.clone(),
            epoch: epoch.map(|epoch| epoch.to_device(device)),
            in_place: None,
        };
        if self.model.draws.is_some() {
            copy.set_draws(seed, step);
        }
        copy
    }
}
