//! The thread of a further device.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::{Device, Tensor};
use kd_core::Network;
use kd_losses::DistillationLoss;
use kd_spot::GateCounts;

use super::exchange::{Exchange, all_reduce};
use super::part::Part;
use super::{Half, counts, half_step};
use crate::task::DistillTask;

/// What a thread is to do next.
pub(super) enum Order<S: Network, T: Network, L: DistillationLoss> {
    /// Takes a copy of the task, and the number of classes.
    Take(Box<DistillTask<S, T, L>>, usize),
    /// Computes the gradient of a part, for an update with these rates.
    Step(Box<Part>, ModuleLearningRate),
    /// Updates the copy by the sum of all gradients, on its device: absent if its thread sums too.
    Update(Option<Box<Tensor<1>>>),
    /// Tells what was distilled.
    Count,
}

/// What a thread answers, on the first device.
enum Answer {
    /// The gradient, and what the step leaves behind.
    Gradient(Box<Gradient>),
    /// What was distilled.
    Counts(Option<Box<Tensor<2>>>),
}

/// What a thread has after the first half of a step, on the first device.
pub(super) struct Gradient {
    /// The gradient `[n]`, unless its thread sums too.
    pub(super) flat: Option<Tensor<1>>,
    /// The values of a [`Row`](super::Row).
    pub(super) row: Tensor<1>,
}

/// The thread of a device; it ends with this.
pub(super) struct Worker<S: Network, T: Network, L: DistillationLoss> {
    orders: Sender<Order<S, T, L>>,
    answers: Receiver<Answer>,
    thread: std::cell::Cell<Option<JoinHandle<()>>>,
}

impl<S: Network, T: Network, L: DistillationLoss> Worker<S, T, L> {
    /// Starts a thread that answers on the `first` device.
    pub(super) fn new(first: &Device, exchange: &Exchange) -> Self {
        let (orders, inbox) = channel();
        let (outbox, answers) = channel();
        let (first, exchange) = (first.clone(), exchange.clone());
        let thread = std::thread::spawn(move || serve(&inbox, &outbox, &first, &exchange));
        Self {
            orders,
            answers,
            thread: Some(thread).into(),
        }
    }

    /// # Panics
    ///
    /// As the thread did.
    pub(super) fn order(&self, order: Order<S, T, L>) {
        if self.orders.send(order).is_err() {
            self.fail();
        }
    }

    /// The gradient of the part that was ordered.
    ///
    /// # Panics
    ///
    /// As the thread did.
    pub(super) fn gradient(&self) -> Gradient {
        match self.answers.recv() {
            Ok(Answer::Gradient(gradient)) => *gradient,
            _ => self.fail(),
        }
    }

    /// What was distilled.
    ///
    /// # Panics
    ///
    /// As the thread did.
    pub(super) fn counts(&self) -> Option<Tensor<2>> {
        match self.answers.recv() {
            Ok(Answer::Counts(counts)) => counts.map(|counts| *counts),
            _ => self.fail(),
        }
    }

    /// Goes on with the panic that ended the thread.
    fn fail(&self) -> ! {
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Err(panic)) => resume_unwind(panic),
            _ => panic!("a thread of a device ended before its time"),
        }
    }
}

/// What the thread of a device does until nobody orders any more.
fn serve<S: Network, T: Network, L: DistillationLoss>(
    orders: &Receiver<Order<S, T, L>>,
    answers: &Sender<Answer>,
    first: &Device,
    exchange: &Exchange,
) {
    let mut held = None;
    while let Ok(order) = orders.recv() {
        held = match (order, held) {
            (Order::Take(task, classes), _) => {
                let counts = counts(&task, classes);
                Some((*task, counts))
            }
            (Order::Step(part, rates), Some((mut task, mut counts))) => {
                task.rates = rates;
                let Half { mut flat, row } = half_step(&task, &part, counts.as_mut());
                let gradient = Gradient {
                    flat: match exchange {
                        Exchange::ThroughFirst => Some(flat.values.clone().to_device(first)),
                        Exchange::Collective(_) => None,
                    },
                    row: row.values.to_device(first),
                };
                if answers.send(Answer::Gradient(Box::new(gradient))).is_err() {
                    return;
                }
                let Ok(Order::Update(sum)) = orders.recv() else {
                    return;
                };
                match (sum, exchange) {
                    (Some(sum), _) => flat.values = *sum,
                    (None, Exchange::Collective(all)) => {
                        flat.values = all_reduce(flat.values, all);
                    }
                    (None, Exchange::ThroughFirst) => return,
                }
                let gradients = flat.gradients(&task.model);
                Some((task.update(gradients), counts))
            }
            (Order::Count, Some((task, counts))) => {
                let table = counts.as_ref().map(GateCounts::tensor);
                let table = table.map(|table| Box::new(table.clone().to_device(first)));
                if answers.send(Answer::Counts(table)).is_err() {
                    return;
                }
                Some((task, counts))
            }
            (Order::Update(_), held) | (_, held @ None) => held,
        };
    }
}
