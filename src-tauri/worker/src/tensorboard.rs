//! Event files for TensorBoard, beside the job's own events.
//!
//! The format is TensorFlow's: records framed by their length and two checksums (`TFRecord`: CRC-32C of length and data,
//! rotated and offset), each record an `Event` message of `event.proto`. Only scalars are written. Whenever a worker goes
//! on with a job it begins a file of its own, whose first events say from which step on: TensorBoard then drops what
//! earlier files hold of that step and later ones.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The first event of every file names this version; from it on, a restart drops the steps after it.
const VERSION: &str = "brain.Event:2";
/// What file names begin with; TensorBoard reads a folder's files in the order of the number that follows.
const NAME: &str = "events.out.tfevents.";

/// One job's event file, open for a worker's life.
#[derive(Debug)]
pub(crate) struct EventFile {
    file: File,
}

/// A folder's event files are numbered by the second in which they were begun.
fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(NAME)?.split('.').next()?.parse().ok()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

impl EventFile {
    /// Begins a file in the folder. The first step that it will hold is the one after `from_step`.
    pub(crate) fn begin(folder: &Path, from_step: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut newest = None;
        for entry in fs::read_dir(folder)? {
            newest = newest.max(number_of(&entry?.file_name().to_string_lossy()));
        }
        let time = now();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since 1970")]
        let number = (time as u64).max(newest.map_or(0, |newest| newest + 1));
        let mut file = Self { file: File::create(path_of(folder, number))? };
        file.write(&event(time, 0, 3, VERSION.as_bytes()))?;
        // SessionLog { status: START }: what earlier files hold of this step and later ones is void.
        file.write(&event(time, from_step + 1, 7, &[0x08, 0x01]))?;
        Ok(file)
    }

    /// Writes numbers of a step under their names.
    pub(crate) fn scalars(&mut self, step: u64, numbers: &[(&str, f64)]) -> io::Result<()> {
        let mut summary = Vec::new();
        for (name, number) in numbers {
            // Summary.Value: tag = 1, simple_value = 2.
            let mut value = Vec::new();
            bytes_field(&mut value, 1, name.as_bytes());
            value.push(2 << 3 | 5);
            #[expect(clippy::cast_possible_truncation, reason = "the format holds 32-bit floats")]
            value.extend_from_slice(&(*number as f32).to_le_bytes());
            bytes_field(&mut summary, 1, &value);
        }
        self.write(&event(now(), step, 5, &summary))
    }

    /// One record, in one call: a worker that is killed leaves at most one that is cut short, at the end.
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + 16);
        record.extend_from_slice(&length);
        record.extend_from_slice(&masked_checksum(&length).to_le_bytes());
        record.extend_from_slice(data);
        record.extend_from_slice(&masked_checksum(data).to_le_bytes());
        self.file.write_all(&record)
    }
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{NAME}{number:010}.tracewright"))
}

/// Event: wall_time = 1 (double), step = 2 (int64), and one of file_version = 3, summary = 5, session_log = 7.
fn event(time: f64, step: u64, field: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1 << 3 | 1];
    bytes.extend_from_slice(&time.to_le_bytes());
    bytes.push(2 << 3);
    varint(&mut bytes, step);
    bytes_field(&mut bytes, field, content);
    bytes
}

fn bytes_field(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Protocol Buffers' whole numbers: seven bits a byte, the lowest first.
fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(0x80 | number.to_le_bytes()[0]);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 with its bits reversed), bit by bit: a record is a few hundred bytes.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut sum, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 };
        }
        sum
    })
}

/// As records keep it: rotated, and moved by a constant, so that a checksum over records with checksums means something.
fn masked_checksum(bytes: &[u8]) -> u32 {
    checksum(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        assert_eq!(checksum(b"123456789"), 0xE306_9283);
        assert_eq!(checksum(&[0; 32]), 0x8A91_36AA);
        assert_eq!(checksum(&[0xff; 32]), 0x62A8_AB43);
    }

    #[test]
    fn whole_numbers_take_seven_bits_a_byte() {
        for (number, expected) in [(0, &[0][..]), (127, &[127]), (300, &[0xac, 0x02]), (u64::MAX, &[255; 9])] {
            let mut bytes = Vec::new();
            varint(&mut bytes, number);
            assert_eq!(&bytes[..expected.len()], expected);
        }
    }

    #[test]
    fn every_file_comes_after_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            EventFile::begin(folder.path(), 0).unwrap().scalars(1, &[("train/loss", 0.5)]).unwrap();
        }
        let mut numbers: Vec<u64> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| number_of(&entry.unwrap().file_name().to_string_lossy()).unwrap())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 3, "also within one second");
    }
}
