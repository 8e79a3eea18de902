//! Python's pickles, read without executing anything.
//!
//! A pickle is a program for a stack machine that builds values and calls functions. Here the same
//! machine builds the values, and notes of a call only what was called: `torch`'s functions that
//! build tensors are understood, and whatever else a call returns is an object of which class and
//! contents are known. So no object beside the weights is a reason to refuse a file, whatever its
//! class; only bytes that are no pickle are.

mod call;
mod error;
mod heap;
mod input;
mod machine;
mod tensor;

pub(super) use error::PickleError;
pub(super) use heap::{Heap, Node, Value};
pub(super) use machine::{Pickle, read};
pub(super) use tensor::{Storage, StoredTensor};
