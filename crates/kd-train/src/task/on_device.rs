//! Steps that need nothing of the host, and can be recorded.

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_core::{Frozen, Network};
use kd_data::{Batch, Loader, Resident};
use kd_kernels::{Graph, GraphError, assign, assign_int};
use kd_losses::DistillationLoss;
use kd_spot::{GateCounts, RoutingMode};
use thiserror::Error;

use super::in_place::{InPlaceSgd, Places, RATES, Snapshot, snapshot};
use super::meter::{LossMeter, Row, WINDOW};
use super::{DistillTask, OptimizerConfig, OptimizerName, Rates, StepOutput};
use crate::TrainError;

/// Steps before one is recorded: by then, all kernels are chosen and all memory is there.
const WARM_UP: usize = 3;
/// Steps that are run both ways and compared.
const COMPARED: usize = 3;
/// Steps that [`DeviceSteps::record`] takes.
const RECORDING: usize = WARM_UP + COMPARED;
/// Greatest difference of a repeated step, as a share of the greatest number of a tensor: some kernels
/// of GPUs add in an order that is another each time.
const TOLERANCE: f64 = 1e-3;
/// Bytes of images that are brought to a device.
const LARGEST_SET: usize = 4 << 30;

/// Why a step is not recorded; nothing is lost by it.
#[derive(Debug, Error)]
pub enum NotRecorded {
    /// Something of the step is done by the host.
    #[error("{0} needs the host in each step")]
    Host(&'static str),
    /// The images do not stay on the device.
    #[error("the images take {mib} MiB on the device, more than the limit of {limit} MiB")]
    Memory {
        /// What they take.
        mib: usize,
        /// What may be taken.
        limit: usize,
    },
    /// There are not enough whole batches.
    #[error("an epoch has {found} full batches, but recording needs {needed}")]
    Short {
        /// Whole batches.
        found: usize,
        /// What is needed.
        needed: usize,
    },
    /// The device.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Repetitions are not what the steps are.
    #[error("{COMPARED} repetitions differ from {COMPARED} steps by {0:.1e} of the largest number")]
    Differs(f64),
}

/// The steps of a [`DistillTask`] whose state stays where it is on the device, with its training images
/// and all that differs from step to step: [`step`](Self::step) uploads nothing and reads nothing back,
/// and [`record`](Self::record) makes it one call.
///
/// A step is the same as [`DistillTask::step`] with the batch of a [`Loader`], and what it computes is
/// the same but for rounding.
pub struct DeviceSteps {
    device: Device,
    data: Resident,
    /// The rates of each step of the epoch, `[steps, 3]`.
    rates: Tensor<2>,
    /// The number of the epoch's first step among all, `[1]`.
    first_step: Tensor<1, Int>,
    counts: Option<GateCounts>,
    names: Vec<String>,
    /// The [`Row`]s of the last steps, `[WINDOW, losses + 4]`, step after step from the start of the
    /// epoch.
    rows: Option<Tensor<2>>,
    graph: Option<Graph>,
    /// The number of the next step in the epoch, as on the device.
    next: usize,
}

impl DeviceSteps {
    /// What keeps the steps of a task with this optimizer from being steps of the device.
    ///
    /// # Errors
    ///
    /// With the reason.
    pub fn check<S: Network, T: Network, L: DistillationLoss>(
        task: &DistillTask<S, T, L>,
        optimizer: &OptimizerConfig,
        loader: &Loader,
    ) -> Result<(), NotRecorded> {
        if !task.model.peers.is_empty() {
            return Err(NotRecorded::Host("mutual learning"));
        }
        if optimizer.name != OptimizerName::Sgd {
            return Err(NotRecorded::Host("an optimizer other than sgd"));
        }
        let Some(bytes) = Resident::bytes(loader, &task.device) else {
            return Err(NotRecorded::Host(
                "this augmentation, or decoding the images,",
            ));
        };
        if bytes > LARGEST_SET {
            let [mib, limit] = [bytes, LARGEST_SET].map(|bytes| bytes >> 20);
            return Err(NotRecorded::Memory { mib, limit });
        }
        let found = loader.set().len() / loader.config().batch_size;
        match found > RECORDING {
            true => Ok(()),
            false => Err(NotRecorded::Short {
                found,
                needed: RECORDING + 1,
            }),
        }
    }

    /// Brings the images of a loader to the plain device of a task, and has the task's state stay in its
    /// memory from now on. `optimizer` and `router_decay` are resolved, and those that the task was made
    /// with.
    ///
    /// # Errors
    ///
    /// If an image cannot be read, or if the optimizer is not SGD; see [`check`](Self::check).
    pub fn new<S: Network, T: Network, L: DistillationLoss>(
        task: &mut DistillTask<S, T, L>,
        (optimizer, router_decay): (&OptimizerConfig, f64),
        loader: &Loader,
    ) -> Result<Self, TrainError> {
        let device = task.device.clone();
        let state = (&task.model, &task.optimizer);
        let Some(in_place) = InPlaceSgd::new(optimizer, router_decay, task.groups.clone(), state)
        else {
            let name = optimizer.name.name();
            return Err(TrainError::value(
                "optimizer.name",
                name,
                "sgd, for steps on the device",
            ));
        };
        task.in_place = Some(in_place);
        let routing = task.model.routing.as_ref();
        let counts =
            routing.map(|r| GateCounts::new(loader.set().classes(), r.spots().len(), &device));
        Ok(Self {
            data: Resident::new(loader, &device)?,
            rates: Tensor::zeros([loader.batches(), RATES], &device),
            first_step: Tensor::zeros([1], &device),
            counts,
            names: Vec::new(),
            rows: None,
            graph: None,
            next: 0,
            device,
        })
    }

    /// Starts an epoch, counted from 0, with the rates of each step. The draws of the steps are those of
    /// `seed`, if there is one.
    pub fn start<S: Network, T: Network, L: DistillationLoss>(
        &mut self,
        task: &mut DistillTask<S, T, L>,
        epoch: usize,
        rates: impl Fn(usize) -> Rates,
        seed: Option<u64>,
    ) {
        let steps = self.rates.dims()[0];
        let all = (0..steps).map(rates);
        let all: Vec<f32> = all
            .flat_map(|rates| [rates.student, rates.router, rates.teacher])
            .map(|rate| rate as f32)
            .collect();
        let all = Tensor::from_data(TensorData::new(all, [steps, RATES]), &self.device);
        self.rates = assign(self.rates.clone(), all);
        let first = Tensor::from_ints([(epoch * steps) as i32], &self.device);
        self.first_step = assign_int(self.first_step.clone(), first);
        if let Some(counts) = &mut self.counts {
            let place = counts.tensor().clone();
            let zeros = place.zeros_like();
            *counts = GateCounts::of(assign(place, zeros));
        }
        self.data.start(epoch, 0);
        self.next = 0;
        task.set_epoch(epoch + 1);
        if let (Some(seed), None) = (seed, task.model.draws.as_ref()) {
            task.set_draws(seed, 0);
        }
    }

    /// Whole batches of an epoch.
    pub fn batches(&self) -> usize {
        self.data.batches()
    }

    /// The number of the next step in the epoch.
    pub fn next_step(&self) -> usize {
        self.next
    }

    /// The next step, by one call if it is [recorded](Self::record).
    ///
    /// # Errors
    ///
    /// [`TrainError::Device`] if the device does not take it.
    pub fn step<S: Network, T: Network, L: DistillationLoss>(
        &mut self,
        task: DistillTask<S, T, L>,
    ) -> Result<DistillTask<S, T, L>, TrainError> {
        let task = match &self.graph {
            Some(graph) => {
                let repeated = graph.replay();
                repeated.map_err(|error| TrainError::Device(error.to_string()))?;
                task
            }
            None => self.run(task, None),
        };
        self.next += 1;
        Ok(task)
    }

    /// A step with a batch that is not whole, the last of an epoch.
    pub fn step_with<S: Network, T: Network, L: DistillationLoss>(
        &mut self,
        task: DistillTask<S, T, L>,
        batch: Batch,
    ) -> DistillTask<S, T, L> {
        let task = self.run(task, Some(batch));
        self.next += 1;
        task
    }

    /// Whether a step is one call.
    pub fn is_recorded(&self) -> bool {
        self.graph.is_some()
    }

    /// Records a step on devices that can, and compares repetitions with steps; it takes some steps of
    /// the epoch. With the task comes how much they differ, or the reason why steps go on as they were.
    pub fn record<S: Network, T: Network, L: DistillationLoss>(
        &mut self,
        mut task: DistillTask<S, T, L>,
    ) -> (DistillTask<S, T, L>, Result<f64, NotRecorded>) {
        let device = self.device.clone();
        let before = self.snapshot(&task);
        // A step that is not finished takes a clone with it.
        let recorded = Graph::record(&device, WARM_UP, || task = self.run(task.clone(), None));
        match recorded {
            Ok((graph, ())) => {
                self.next += WARM_UP;
                self.compare(task, graph)
            }
            Err(GraphError::Unsupported) => (task, Err(GraphError::Unsupported.into())),
            Err(error) => {
                // What is in the memory that was to be written cannot be relied upon.
                let task = self.restore(task, before, false);
                self.data.seek_anew(self.next);
                (task, Err(error.into()))
            }
        }
    }

    /// Takes recorded work for the step if repetitions do what steps do.
    fn compare<S: Network, T: Network, L: DistillationLoss>(
        &mut self,
        mut task: DistillTask<S, T, L>,
        graph: Graph,
    ) -> (DistillTask<S, T, L>, Result<f64, NotRecorded>) {
        let start = self.snapshot(&task);
        let repeated = (0..COMPARED).try_for_each(|_| graph.replay());
        let repeated = repeated.map(|()| self.snapshot(&task));
        task = self.restore(task, start, true);
        self.data.seek(self.next);
        for _ in 0..COMPARED {
            task = self.run(task, None);
        }
        self.next += COMPARED;
        let difference = match repeated {
            Ok(repeated) => self.snapshot(&task).difference(&repeated),
            Err(error) => return (task, Err(error.into())),
        };
        if difference > TOLERANCE || difference.is_nan() {
            return (task, Err(NotRecorded::Differs(difference)));
        }
        self.graph = Some(graph);
        (task, Ok(difference))
    }

    /// A step, or one of a batch of its own.
    fn run<S: Network, T: Network, L: DistillationLoss>(
        &mut self,
        mut task: DistillTask<S, T, L>,
        batch: Option<Batch>,
    ) -> DistillTask<S, T, L> {
        let places = Places::of(&task.model, fixed(&task));
        let average = task.ema.as_ref();
        let of_average = average.map(|ema| Places::of(&ema.network, None));
        let step = self.data.step();
        if let Some(optimizer) = &mut task.in_place {
            let rates = self.rates.clone().select(0, step.clone());
            optimizer.set_rates(rates.reshape([RATES]));
        }
        let draws = task.model.draws.0.take();
        let number = self.first_step.clone() + step.clone();
        task.model.draws = Frozen(draws.map(|draws| draws.with_step(number)));

        let batch = batch.unwrap_or_else(|| self.data.batch());
        let output;
        (task, output) = task.step(&batch);
        task.model = places.keep(task.model);
        if let (Some(ema), Some(places)) = (&mut task.ema, of_average) {
            ema.network = places.keep(ema.network.clone());
        }
        self.note(output, step);
        // Nothing may be left to read the number of this step, or its state.
        let _ = self.device.flush();
        self.data.advance();
        task
    }

    /// Writes down what a step gives.
    fn note(&mut self, output: StepOutput, step: Tensor<1, Int>) {
        if let (Some(counts), Some(gates)) = (&mut self.counts, &output.gates) {
            let place = counts.tensor().clone();
            counts.add(gates, output.labels.clone());
            *counts = GateCounts::of(assign(place, counts.tensor().clone()));
        }
        let row = Row::new(
            &output.losses,
            (output.logits, output.teacher),
            output.labels,
        );
        let columns = row.values.dims()[0];
        let rows = self.rows.take();
        let rows = rows.unwrap_or_else(|| Tensor::zeros([WINDOW, columns], &self.device));
        let window = WINDOW as i64;
        let within = step.clone() - step.div_scalar(window).mul_scalar(window);
        let here = Tensor::<1, Int>::arange(0..window, &self.device).equal(within.expand([WINDOW]));
        let shape = [WINDOW, columns];
        let here = here.unsqueeze_dim::<2>(1).expand(shape);
        let values = row.values.unsqueeze_dim::<2>(0).expand(shape);
        let new = rows.clone().mask_where(here, values);
        self.rows = Some(assign(rows, new));
        self.names = row.names;
    }

    /// Reads what the steps from `first` on left behind, of so many `images` each; the last [`WINDOW`]
    /// steps are still known.
    pub(crate) fn read(
        &self,
        first: usize,
        images: impl Fn(usize) -> usize,
        meter: &mut LossMeter,
    ) -> Result<(), TrainError> {
        let Some(rows) = &self.rows else {
            return Ok(());
        };
        let columns = rows.dims()[1];
        let values: Vec<f64> = rows.clone().into_data().iter::<f64>().collect();
        meter.name(&self.names);
        for step in first..self.next {
            let row = step % WINDOW * columns;
            meter.add_row(images(step), &values[row..row + columns])?;
        }
        Ok(())
    }

    /// What was distilled in the epoch.
    pub(crate) fn counts(&self) -> Option<&GateCounts> {
        self.counts.as_ref()
    }

    fn snapshot<S: Network, T: Network, L: DistillationLoss>(
        &self,
        task: &DistillTask<S, T, L>,
    ) -> Snapshot {
        let average = task.ema.as_ref();
        let optimizer = task.in_place.as_ref();
        let tables = [
            self.counts.as_ref().map(GateCounts::tensor),
            self.rows.as_ref(),
        ];
        let table = |table: Option<&Tensor<2>>| table.cloned().map(snapshot::copy);
        Snapshot {
            values: snapshot::values(&task.model),
            velocities: optimizer.map_or_else(Default::default, |o| o.copies(&task.model)),
            average: average.map_or_else(Default::default, |a| snapshot::values(&a.network)),
            tables: tables.map(table).into(),
        }
    }

    fn restore<S: Network, T: Network, L: DistillationLoss>(
        &mut self,
        mut task: DistillTask<S, T, L>,
        state: Snapshot,
        in_place: bool,
    ) -> DistillTask<S, T, L> {
        task.model = snapshot::restore(task.model, state.values, in_place);
        if let Some(optimizer) = &mut task.in_place {
            optimizer.restore(&task.model, state.velocities, in_place);
        }
        if let Some(ema) = &mut task.ema {
            ema.network = snapshot::restore(ema.network.clone(), state.average, in_place);
        }
        let counts = self.counts.take().map(|counts| counts.tensor().clone());
        let places = [counts, self.rows.take()];
        let mut tables = state.tables.into_iter().zip(places);
        let mut table = || {
            let (copy, place) = tables.next()?;
            Some(snapshot::restored(copy?, place, in_place))
        };
        self.counts = table().map(GateCounts::of);
        self.rows = table();
        task
    }
}

/// The part of a task's model of which no step changes anything: the teacher of a grafted network.
fn fixed<S: Network, T: Network, L: DistillationLoss>(
    task: &DistillTask<S, T, L>,
) -> Option<&'static str> {
    let routing = task.model.routing.as_ref()?;
    (routing.mode != RoutingMode::Joint).then_some("routing.teacher.")
}
