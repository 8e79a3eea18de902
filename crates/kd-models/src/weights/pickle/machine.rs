//! The stack machine.

use std::collections::HashMap;
use std::io::BufRead;
use std::rc::Rc;

use super::call::{call, made};
use super::heap::Global;
use super::input::Input;
use super::{Heap, Node, PickleError, Storage, Value};

/// Most instructions of a pickle, which bound the memory that it takes: about a hundred bytes each.
/// Checkpoints have thousands.
const MOST: usize = 1 << 24;

/// What a pickle holds.
#[derive(Debug)]
pub(crate) struct Pickle {
    pub(crate) heap: Heap,
    pub(crate) root: Value,
}

/// Reads one pickle, of any protocol, and nothing that follows it.
pub(crate) fn read(reader: &mut impl BufRead) -> Result<Pickle, PickleError> {
    let mut machine = Machine {
        input: Input::new(reader),
        heap: Heap::default(),
        stack: Vec::new(),
        below: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MOST {
        let code = machine.input.byte()?;
        if code == b'.' {
            let root = machine.pop()?;
            let heap = machine.heap;
            return Ok(Pickle { heap, root });
        }
        machine.step(code)?;
    }
    Err(PickleError::Damaged(format!(
        "a pickle of more than {MOST} instructions"
    )))
}

struct Machine<'a, R> {
    input: Input<'a, R>,
    heap: Heap,
    /// The values since the last mark.
    stack: Vec<Value>,
    /// Those before each mark.
    below: Vec<Vec<Value>>,
    memo: HashMap<u64, Value>,
}

type Step = Result<(), PickleError>;

impl<R: BufRead> Machine<'_, R> {
    /// Executes one instruction.
    fn step(&mut self, code: u8) -> Step {
        match code {
            // Protocol, frame, and a number that nothing depends on.
            0x80 => self.input.byte().map(|_| ()),
            0x95 => self.input.length::<8>().map(|_| ()),
            b'(' => {
                self.below.push(std::mem::take(&mut self.stack));
                Ok(())
            }
            b'0' => match self.stack.pop() {
                Some(_) => Ok(()),
                None => self.marked().map(|_| ()),
            },
            b'1' => self.marked().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.memory(code),
            b'l' | b'd' | b't' | b']' | b'}' | b')' | 0x85..=0x87 | 0x8f | 0x91 => {
                self.container(code)
            }
            b'a' | b'e' | b's' | b'u' | 0x90 | b'b' => self.fill(code),
            b'c' | 0x93 | b'R' | b'i' | b'o' | 0x81 | 0x92 | 0x82..=0x84 | b'P' | b'Q' => {
                self.object(code)
            }
            _ => {
                let value = self.plain(code)?;
                self.push(value)
            }
        }
    }

    /// An instruction that is a value.
    fn plain(&mut self, code: u8) -> Result<Value, PickleError> {
        let input = &mut self.input;
        Ok(match code {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(input.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(input.array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(input.array()?).into()),
            0x8a => {
                let length = input.length::<1>()?;
                Value::Int(input.long(length)?)
            }
            0x8b => {
                let length = input.length::<4>()?;
                Value::Int(input.long(length)?)
            }
            b'I' | b'L' => match input.line()?.trim_end_matches('L') {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => Value::Int(digits.parse().unwrap_or(i128::MAX)),
            },
            b'F' => input.line().map(|_| Value::Float)?,
            b'G' => input.array::<8>().map(|_| Value::Float)?,
            b'S' => text(input.line()?.trim_matches(['\'', '"'])),
            b'V' => text(&input.line()?),
            b'U' | 0x8c => {
                let length = input.length::<1>()?;
                text(&input.text(length)?)
            }
            b'T' | b'X' => {
                let length = input.length::<4>()?;
                text(&input.text(length)?)
            }
            0x8d => {
                let length = input.length::<8>()?;
                text(&input.text(length)?)
            }
            b'C' => {
                let length = input.length::<1>()?;
                Value::Bytes(input.bytes(length)?.into())
            }
            b'B' => {
                let length = input.length::<4>()?;
                Value::Bytes(input.bytes(length)?.into())
            }
            0x8e | 0x96 => {
                let length = input.length::<8>()?;
                Value::Bytes(input.bytes(length)?.into())
            }
            // Bytes that are not in the pickle.
            0x97 => Value::None,
            0x98 => self.pop()?,
            other => {
                return Err(damaged(format!(
                    "no pickle has the instruction {other:#04x}"
                )));
            }
        })
    }

    /// Memorizes the top, or remembers.
    fn memory(&mut self, code: u8) -> Step {
        let place = match code {
            b'p' | b'g' => {
                let line = self.input.line()?;
                line.parse().map_err(|_| damaged("a memo without number"))?
            }
            b'q' | b'h' => self.input.length::<1>()?,
            0x94 => self.memo.len() as u64,
            _ => self.input.length::<4>()?,
        };
        if matches!(code, b'g' | b'h' | b'j') {
            let value = self.memo.get(&place).cloned();
            return self.push(value.ok_or_else(|| damaged("a missing memo entry"))?);
        }
        let top = self.top()?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn container(&mut self, code: u8) -> Step {
        let node = match code {
            b']' => Node::List(Vec::new()),
            b'}' => Node::Dict(Vec::new()),
            b')' => Node::Tuple(Vec::new()),
            0x8f => Node::Set,
            b'l' => Node::List(self.marked()?),
            b't' => Node::Tuple(self.marked()?),
            b'd' => Node::Dict(pairs(self.marked()?)?),
            0x91 => self.marked().map(|_| Node::Set)?,
            small => {
                let count = usize::from(small - 0x84);
                let start = self.stack.len().checked_sub(count);
                Node::Tuple(self.stack.split_off(start.ok_or_else(underflow)?))
            }
        };
        let value = self.heap.add(node);
        self.push(value)
    }

    /// Puts values into the container, or the object, below them.
    fn fill(&mut self, code: u8) -> Step {
        let values = match code {
            b'a' | b'b' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.marked()?,
        };
        let target = self.top()?;
        // The attributes of an object may be two dictionaries; anything else that a class makes of
        // its state is its own affair.
        let states: Vec<Value> = match (code, values.as_slice()) {
            (b'b', [state]) => match self.heap.sequence(state) {
                Some([dictionary, slots]) => vec![dictionary.clone(), slots.clone()],
                _ => vec![state.clone()],
            },
            _ => Vec::new(),
        };
        let Some(node) = self.heap.node_mut(&target) else {
            return Err(damaged("an item is added to what is not a container"));
        };
        match (code, node) {
            (b'b', Node::Object(object)) => object.state.extend(states),
            (b'a' | b'e', Node::List(list)) => list.extend(values),
            (b's' | b'u', Node::Dict(entries)) => entries.extend(pairs(values)?),
            (b's' | b'u', Node::Object(object)) => object.items.extend(pairs(values)?),
            // The elements of sets and queues, attributes of dictionaries and tensors.
            _ => {}
        }
        Ok(())
    }

    /// Classes, functions, calls, and what the file has elsewhere.
    fn object(&mut self, code: u8) -> Step {
        let value = match code {
            b'c' => self.global()?,
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (module.text(), name.text()) else {
                    return Err(damaged("a class without name"));
                };
                global(&mut self.heap, module, name)
            }
            b'i' => {
                let class = self.global()?;
                let arguments = self.marked()?;
                call(&mut self.heap, &class, &arguments)?
            }
            b'o' => {
                let parts = self.marked()?;
                let (class, arguments) = parts.split_first().ok_or_else(underflow)?;
                call(&mut self.heap, class, arguments)?
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let Some(values) = self.heap.sequence(&arguments) else {
                    return Err(damaged("a call without arguments"));
                };
                let count = values.len();
                let arguments = values.to_vec();
                self.heap.charge(count)?;
                call(&mut self.heap, &function, &arguments)?
            }
            0x81 | 0x92 => {
                let count = if code == 0x81 { 1 } else { 2 };
                for _ in 0..count {
                    self.pop()?;
                }
                let class = self.pop()?;
                made(&mut self.heap, &class)
            }
            b'P' => self.input.line().map(|_| Value::None)?,
            b'Q' => self.persistent()?,
            // A class by a number that only the program knows which wrote it.
            _ => {
                let bytes = [1, 2, 4][usize::from(code - 0x82)];
                self.input.bytes(bytes)?;
                self.heap.add_object(Global::unnamed("extension"))
            }
        };
        self.push(value)
    }

    fn global(&mut self) -> Result<Value, PickleError> {
        let module = self.input.line()?;
        let name = self.input.line()?;
        Ok(global(&mut self.heap, &module, &name))
    }

    /// A storage, or the source text of a module, which the old format names beside its class.
    fn persistent(&mut self) -> Result<Value, PickleError> {
        let id = self.pop()?;
        let parts = self.heap.sequence(&id).unwrap_or_default();
        if let Some(storage) = Storage::named(&self.heap, parts) {
            return Ok(self.heap.add(Node::Storage(Box::new(storage))));
        }
        Ok(match parts {
            [kind, class, ..] if kind.text() == Some("module") => class.clone(),
            _ => self.heap.add_object(Global::unnamed("persistent object")),
        })
    }

    fn push(&mut self, value: Value) -> Step {
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn top(&self) -> Result<Value, PickleError> {
        self.stack.last().cloned().ok_or_else(underflow)
    }

    /// The values since the last mark, which goes with them.
    fn marked(&mut self) -> Result<Vec<Value>, PickleError> {
        let below = self.below.pop().ok_or_else(underflow)?;
        Ok(std::mem::replace(&mut self.stack, below))
    }
}

fn global(heap: &mut Heap, module: &str, name: &str) -> Value {
    let (module, name) = (module.to_owned(), name.to_owned());
    heap.add(Node::Global(Rc::new(Global { module, name })))
}

fn text(text: &str) -> Value {
    Value::Text(Rc::from(text))
}

/// Keys and values in turns.
fn pairs(values: Vec<Value>) -> Result<Vec<(Value, Value)>, PickleError> {
    if values.len() % 2 == 1 {
        return Err(damaged("a key without value"));
    }
    let mut values = values.into_iter();
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn damaged(reason: impl Into<String>) -> PickleError {
    PickleError::Damaged(reason.into())
}

fn underflow() -> PickleError {
    damaged("an instruction misses its values")
}
