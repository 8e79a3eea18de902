//! Values in Python's pickle format, as far as data need it.
//!
//! Only values are made. What a pickle would call is not called and not even looked up: of an
//! object, such as a numpy array, its state is left. Bytes are not copied but refer to the file.

use std::collections::HashMap;
use std::ops::Range;

/// The place of a value among all values of a pickle.
type Id = usize;

#[derive(Debug, Clone, PartialEq)]
enum Value {
    /// None, an object without a state, or a number that is no integer.
    Other,
    Bool(bool),
    Int(i64),
    /// Text and bytes alike: Python 2 wrote the one as the other.
    Bytes(Range<usize>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
}

/// A pickle that has been read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    bytes: &'a [u8],
    values: Vec<Value>,
    root: Id,
}

/// A value of a pickle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'p> {
    pickle: &'p Pickle<'p>,
    id: Id,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle of protocol 1 to 5.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and at which byte.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut machine = Machine {
            bytes,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run().ok_or_else(|| {
            let what = if machine.has_room() {
                "damaged"
            } else {
                "more values than data have"
            };
            format!("{what} at byte {} of {}", machine.at, bytes.len())
        })?;
        Ok(Self {
            bytes,
            values: machine.values,
            root,
        })
    }

    /// The value that was pickled.
    pub(super) fn root(&self) -> Node<'_> {
        Node {
            pickle: self,
            id: self.root,
        }
    }
}

impl<'p> Node<'p> {
    fn value(self) -> &'p Value {
        &self.pickle.values[self.id]
    }

    fn at(self, id: Id) -> Self {
        Self { id, ..self }
    }

    /// The value of a dictionary under a key.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        let Value::Dict(entries) = self.value() else {
            return None;
        };
        let named = |(name, _): &&(Id, Id)| self.at(*name).bytes() == Some(key.as_bytes());
        entries
            .iter()
            .rev()
            .find(named)
            .map(|(_, value)| self.at(*value))
    }

    /// The items of a list or tuple.
    pub(super) fn items(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        match self.value() {
            Value::List(items) | Value::Tuple(items) => {
                Some(items.iter().map(move |item| self.at(*item)))
            }
            _ => None,
        }
    }

    pub(super) fn int(self) -> Option<i64> {
        match self.value() {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn bool(self) -> Option<bool> {
        match self.value() {
            Value::Bool(value) => Some(*value),
            Value::Int(value @ (0 | 1)) => Some(*value == 1),
            _ => None,
        }
    }

    pub(super) fn bytes(self) -> Option<&'p [u8]> {
        match self.value() {
            Value::Bytes(range) => self.pickle.bytes.get(range.clone()),
            _ => None,
        }
    }
}

/// The stack machine that a pickle is a program of. Its functions give nothing where the pickle is
/// damaged.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

/// Values that a pickle may have, and one more for so many of its bytes: most bytes of data are
/// pixels, and a value takes more memory than it has bytes.
const VALUES: usize = 1 << 14;
const BYTES_OF_VALUE: usize = 16;

impl Machine<'_> {
    /// Whether there may be more values.
    fn has_room(&self) -> bool {
        let most = VALUES + self.bytes.len() / BYTES_OF_VALUE;
        self.values.len() < most && self.memo.len() < most
    }

    fn run(&mut self) -> Option<Id> {
        loop {
            let code = self.take(1)?[0];
            if code == b'.' {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Option<()> {
        match code {
            // The protocol, and a frame, which is only a hint.
            0x80 => self.take(1).map(|_| ()),
            0x95 => self.take(8).map(|_| ()),
            b'(' => {
                self.marks.push(self.stack.len());
                Some(())
            }
            b'N' => self.push(Value::Other),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' | b'K' | b'M' | 0x8a => self.integer(code),
            b'G' => {
                self.take(8)?;
                self.push(Value::Other)
            }
            b'U' | b'T' | b'X' | b'B' | b'C' | 0x8c | 0x8d | 0x8e => self.string(code),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'a' | b'e' | b's' | b'u' => self.extend(code),
            b't' | 0x85 | 0x86 | 0x87 => self.tuple(code),
            b'c' | 0x93 | b'R' | 0x81 | b'b' => self.object(code),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.remember(code),
            _ => None,
        }
    }

    fn integer(&mut self, code: u8) -> Option<()> {
        let count = match code {
            b'K' => 1,
            b'M' => 2,
            b'J' => 4,
            _ => usize::from(self.take(1)?[0]),
        };
        let bytes = self.take(count).filter(|_| count <= 8)?;
        // Numbers of 1 and 2 bytes have no sign.
        let negative = count > 0 && !matches!(code, b'K' | b'M') && bytes[count - 1] >= 0x80;
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..count].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn string(&mut self, code: u8) -> Option<()> {
        let count = match code {
            b'U' | b'C' | 0x8c => self.number(1)?,
            0x8d | 0x8e => self.number(8)?,
            _ => self.number(4)?,
        };
        let start = self.at;
        self.take(usize::try_from(count).ok()?)?;
        self.push(Value::Bytes(start..self.at))
    }

    /// Adds one or several values to a list or dictionary.
    fn extend(&mut self, code: u8) -> Option<()> {
        let added = match code {
            b'a' => self.pop_many(1)?,
            b's' => self.pop_many(2)?,
            _ => self.pop_marked()?,
        };
        let target = *self.stack.last()?;
        match &mut self.values[target] {
            Value::List(items) if matches!(code, b'a' | b'e') => items.extend(added),
            Value::Dict(entries) if matches!(code, b's' | b'u') && added.len() % 2 == 0 => {
                entries.extend(added.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            _ => return None,
        }
        Some(())
    }

    fn tuple(&mut self, code: u8) -> Option<()> {
        let items = match code {
            b't' => self.pop_marked()?,
            _ => self.pop_many(usize::from(code - 0x84))?,
        };
        self.push(Value::Tuple(items))
    }

    /// Names of classes and functions, and what they would make of their arguments: nothing, but for
    /// a state that follows.
    fn object(&mut self, code: u8) -> Option<()> {
        match code {
            b'c' => {
                self.line()?;
                self.line()?;
                self.push(Value::Other)
            }
            b'b' => {
                let state = self.pop()?;
                let object = *self.stack.last()?;
                // Moved: copies of one large state would be larger than the file.
                self.values[object] = std::mem::replace(&mut self.values[state], Value::Other);
                Some(())
            }
            _ => {
                self.pop_many(2)?;
                self.push(Value::Other)
            }
        }
    }

    fn remember(&mut self, code: u8) -> Option<()> {
        let key = match code {
            b'q' | b'h' => self.number(1)?,
            b'r' | b'j' => self.number(4)?,
            _ => self.memo.len() as u64,
        } as u32;
        if matches!(code, b'h' | b'j') {
            let value = *self.memo.get(&key)?;
            self.stack.push(value);
        } else {
            self.memo.insert(key, *self.stack.last()?);
        }
        self.has_room().then_some(())
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A number without sign of so many bytes.
    fn number(&mut self, count: usize) -> Option<u64> {
        let bytes = self.take(count)?.iter().rev();
        Some(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn line(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        self.at += rest.iter().position(|byte| *byte == b'\n')? + 1;
        Some(())
    }

    fn push(&mut self, value: Value) -> Option<()> {
        self.stack.push(self.values.len());
        self.values.push(value);
        self.has_room().then_some(())
    }

    fn pop(&mut self) -> Option<Id> {
        self.pop_many(1).map(|popped| popped[0])
    }

    fn pop_many(&mut self, count: usize) -> Option<Vec<Id>> {
        let left = self.stack.len().checked_sub(count)?;
        Some(self.stack.split_off(left))
    }

    fn pop_marked(&mut self) -> Option<Vec<Id>> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len())?;
        Some(self.stack.split_off(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_protocol_2_are_read() {
        // pickle.dumps({'a': [1, -2, 300], 'b': (True, b'xy')}, protocol=2), as Python 2 writes it.
        let bytes = b"\x80\x02}q\x00(U\x01aq\x01]q\x02(K\x01J\xfe\xff\xff\xffM\x2c\x01eU\x01bq\x03\x88U\x02xyq\x04\x86q\x05u.";
        let pickle = Pickle::read(bytes).expect("whole");
        let numbers: Option<Vec<_>> = pickle.root().get("a").and_then(|list| {
            let items = list.items()?;
            items.map(Node::int).collect()
        });
        assert_eq!(numbers, Some(vec![1, -2, 300]));
        let pair: Vec<_> = pickle
            .root()
            .get("b")
            .and_then(Node::items)
            .expect("a tuple")
            .collect();
        assert_eq!(
            (pair[0].bool(), pair[1].bytes()),
            (Some(true), Some(&b"xy"[..]))
        );
        assert!(pickle.root().get("c").is_none());
    }

    #[test]
    fn calls_are_left_out_but_for_the_state() {
        // An object of os.system('x') with the state 7.
        let pickle = Pickle::read(b"\x80\x02cos\nsystem\nU\x01x\x85RK\x07b.").expect("whole");
        assert_eq!(pickle.root().int(), Some(7));
    }

    #[test]
    fn every_beginning_of_a_pickle_is_refused() {
        let bytes =
            b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}(\x8c\x01a\x94K\x01\x8c\x01bh\x00u.";
        assert!(Pickle::read(bytes).is_ok());
        for end in 0..bytes.len() {
            assert!(Pickle::read(&bytes[..end]).is_err(), "{end}");
        }
        for damaged in [
            &b"."[..],
            b"a.",
            b"u.",
            b"\x87.",
            b"h\x05.",
            b"T\xff\xff\xff\xff.",
            b"?",
        ] {
            assert!(Pickle::read(damaged).is_err(), "{damaged:?}");
        }
    }
}
