//! How the steps of the main phase are carried out.

use kd_core::Network;
use kd_losses::DistillationLoss;

use super::Runner;
use super::on_device::OnDevice;
use crate::recipe::GraphMode;
use crate::task::{DataParallel, Exchange};
use crate::{DistillTask, TrainError};

/// The steps of the main phase.
pub(super) enum Steps<S: Network, T: Network, L: DistillationLoss> {
    /// Each is put together by the host.
    OneByOne,
    /// They need nothing of the host.
    OnDevice(Box<OnDevice>),
    /// Several devices share them.
    InParallel(Box<DataParallel<S, T, L>>),
}

impl<S: Network, T: Network> Runner<'_, S, T> {
    /// The steps of a task as the recipe's devices and `compute.graph` say.
    pub(super) fn steps<L: DistillationLoss>(
        &self,
        task: &mut DistillTask<S, T, L>,
    ) -> Result<Steps<S, T, L>, TrainError> {
        if self.devices.len() == 1 {
            let on_device = self.to_device(task)?;
            return Ok(on_device.map_or(Steps::OneByOne, |steps| Steps::OnDevice(Box::new(steps))));
        }
        let graph = self.recipe.compute.graph;
        if graph == GraphMode::On || graph == GraphMode::Auto && !kd_kernels::is_cpu(&self.plain) {
            tracing::warn!("compute.graph: steps are not recorded: several devices share them");
        }
        let exchange = Exchange::between(&self.recipe.compute.names(), &self.devices);
        let all = DataParallel::new(self.devices.clone(), exchange);
        Ok(Steps::InParallel(Box::new(all)))
    }
}
