//! Objects in Parquet: the columns of a batch of rows side by side, each row read as a line is.
//!
//! AWS names fields with underscores and documents INT32 and INT64 for numbers and STRING for the rest; what others wrote
//! anew (pandas, Athena) has strings for numbers and `-` or `None` for nothing. Both are read.

use super::aggregate::Aggregate;
use super::fields::Format;
use super::lines::Faults;
use super::record::{Fields, record};
use super::scan::Addresses;
use super::unpack::MAX_UNPACKED;
use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::schema::types::ColumnDescriptor;
use std::net::IpAddr;

/// Rows that are looked at together.
const BATCH: usize = 8_192;

/// One column of a batch. What is null is none.
enum Column<'c> {
    Numbers {
        values: &'c [i64],
        at: &'c [u32],
    },
    Texts {
        values: &'c [ByteArray],
        at: &'c [u32],
    },
    /// Of a type that no field has.
    Strange,
}

/// Where a column's value of a row is null.
const NULL: u32 = u32::MAX;

/// A row of a batch.
struct Row<'b, 'c> {
    columns: &'b [Column<'c>],
    row: usize,
    addresses: &'b Addresses,
}

impl<'c> Fields<'c> for Row<'_, 'c> {
    type Cell = usize;

    fn cell(&self, n: usize) -> usize {
        n
    }

    fn count(&self) -> usize {
        self.columns.len()
    }

    fn is_absent(&self, column: usize) -> bool {
        match &self.columns[column] {
            Column::Numbers { at, .. } => at[self.row] == NULL,
            Column::Texts { values, at } => {
                at[self.row] == NULL || matches!(values[at[self.row] as usize].data(), b"-" | b"" | b"None")
            }
            Column::Strange => true,
        }
    }

    fn text(&self, column: usize) -> &'c [u8] {
        match &self.columns[column] {
            Column::Texts { values, at } => values[at[self.row] as usize].data(),
            Column::Numbers { .. } => b"a number",
            Column::Strange => b"",
        }
    }

    fn number(&self, column: usize) -> Option<u64> {
        match &self.columns[column] {
            Column::Numbers { values, at } => u64::try_from(values[at[self.row] as usize]).ok(),
            Column::Texts { .. } => {
                let text = self.text(column);
                super::scan::number(text, 0, text.len())
            }
            Column::Strange => None,
        }
    }

    fn address(&self, column: usize) -> Option<IpAddr> {
        let text = self.text(column);
        self.addresses.read(text, 0, text.len())
    }

    fn shown(&self, column: usize) -> String {
        match &self.columns[column] {
            Column::Numbers { values, at } => values[at[self.row] as usize].to_string(),
            _ => String::from_utf8_lossy(self.text(column)).into_owned(),
        }
    }
}

/// Sums the rows of an object.
///
/// # Errors
/// Why nothing of it can be read. A part that is damaged is a fault; the rows before it are kept.
pub(super) fn read(
    delivered: &[u8],
    sums: &mut Aggregate<'_>,
) -> Result<(Format, Faults, Option<u64>), String> {
    let no = |e: ParquetError| format!("is no Parquet: {e}");
    let file = SerializedFileReader::new(Bytes::copy_from_slice(delivered)).map_err(no)?;
    let about = file.metadata();
    let unpacked = about
        .row_groups()
        .iter()
        .fold(0, |n: u64, g| n.saturating_add(u64::try_from(g.total_byte_size()).unwrap_or(0)));
    if about.row_groups().iter().flat_map(|g| g.columns()).any(is_impossible) {
        return Err("is no Parquet: its footer names places before the beginning of the file".into());
    }
    if unpacked > MAX_UNPACKED {
        return Err(format!(
            "says that it unpacks to {unpacked} bytes, more than the limit of {MAX_UNPACKED}"
        ));
    }
    let columns = about.file_metadata().schema_descr().columns();
    let format = Format::columns_named(columns.iter().map(|c| c.path().string()));
    let mut faults = Faults::default();
    format.faults().into_iter().for_each(|f| faults.add("header", "schema".into(), f));
    for column in columns {
        if let Some(what) = strange(column) {
            faults.add("column-type", format!("column {}", column.path()), what);
        }
    }
    if !(0..columns.len()).any(|i| format.is_read(i) && strange(&columns[i]).is_none()) {
        return Err("has no column of a flow log that can be read".into());
    }
    let mut rows = 0;
    for i in 0..file.num_row_groups() {
        let read = file.get_row_group(i).and_then(|g| group(&*g, &format, sums, &mut faults, &mut rows));
        if let Err(e) = read {
            sums.counts.quarantined += 1;
            let what = format!("the object ends early or is damaged ({e}); what comes before is kept");
            faults.add("cut-short", format!("row {}", rows + 1), what);
            return Ok((format, faults, Some(rows)));
        }
    }
    Ok((format, faults, None))
}

/// Whether a column's place in the file cannot be.
fn is_impossible(column: &ColumnChunkMetaData) -> bool {
    column.data_page_offset() < 0
        || column.compressed_size() < 0
        || column.dictionary_page_offset().is_some_and(|at| at < 0)
}

/// What is wrong with the type of a column that is read.
fn strange(column: &ColumnDescriptor) -> Option<String> {
    use parquet::basic::Type;
    let flat = column.max_rep_level() == 0 && column.max_def_level() <= 1;
    match column.physical_type() {
        Type::INT32 | Type::INT64 | Type::BYTE_ARRAY if flat => None,
        other if flat => Some(format!("is {other}: INT32, INT64 or STRING would be right; it is not read")),
        _ => Some("is nested: a flat column would be right; it is not read".into()),
    }
}

/// Room for one column of a batch.
#[derive(Default)]
struct Room {
    wide: Vec<i64>,
    narrow: Vec<i32>,
    texts: Vec<ByteArray>,
    levels: Vec<i16>,
    at: Vec<u32>,
}

fn group(
    group: &dyn RowGroupReader,
    format: &Format,
    sums: &mut Aggregate<'_>,
    faults: &mut Faults,
    rows: &mut u64,
) -> Result<(), ParquetError> {
    let about = group.metadata();
    let descriptors = about.schema_descr().columns();
    let read = |i: usize| format.is_read(i) && strange(&descriptors[i]).is_none();
    let mut readers = Vec::new();
    for i in 0..descriptors.len() {
        readers.push(if read(i) { Some(group.get_column_reader(i)?) } else { None });
    }
    let mut rooms: Vec<Room> = readers.iter().map(|_| Room::default()).collect();
    let addresses = Addresses::default();
    let mut left = usize::try_from(about.num_rows()).unwrap_or(0);
    while left > 0 {
        let n = left.min(BATCH);
        for ((reader, room), about) in readers.iter_mut().zip(&mut rooms).zip(descriptors) {
            let Some(reader) = reader else { continue };
            let got = room.fill(reader, n, about.max_def_level() > 0)?;
            if got != n {
                let what = format!("column {} has {got} values where {n} rows are left", about.path());
                return Err(ParquetError::General(what));
            }
        }
        let columns: Vec<Column<'_>> =
            readers.iter().zip(&rooms).map(|(reader, room)| room.column(reader.as_ref())).collect();
        for row in 0..n {
            *rows += 1;
            match record(format, &Row { columns: &columns, row, addresses: &addresses }) {
                Ok(record) => sums.add(&record),
                Err(fault) => {
                    sums.counts.quarantined += 1;
                    faults.add(fault.kind, format!("row {rows}"), fault.what);
                }
            }
        }
        left -= n;
    }
    Ok(())
}

impl Room {
    /// Reads the next rows of a column; how many there were.
    fn fill(&mut self, reader: &mut ColumnReader, n: usize, nullable: bool) -> Result<usize, ParquetError> {
        let Room { wide, narrow, texts, levels, at } = self;
        levels.clear();
        let got = match reader {
            ColumnReader::Int32ColumnReader(r) => {
                let got = values(r, n, levels, narrow)?;
                wide.clear();
                wide.extend(narrow.iter().map(|v| i64::from(*v)));
                got
            }
            ColumnReader::Int64ColumnReader(r) => values(r, n, levels, wide)?,
            ColumnReader::ByteArrayColumnReader(r) => values(r, n, levels, texts)?,
            _ => 0,
        };
        at.clear();
        let mut next = 0;
        at.extend((0..got).map(|row| {
            if nullable && levels.get(row) == Some(&0) {
                return NULL;
            }
            next += 1;
            next - 1
        }));
        Ok(got)
    }

    fn column(&self, reader: Option<&ColumnReader>) -> Column<'_> {
        match reader {
            Some(ColumnReader::ByteArrayColumnReader(_)) => {
                Column::Texts { values: &self.texts, at: &self.at }
            }
            Some(_) => Column::Numbers { values: &self.wide, at: &self.at },
            None => Column::Strange,
        }
    }
}

/// Reads up to `n` rows of a column, over as many pages as it takes.
fn values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    n: usize,
    levels: &mut Vec<i16>,
    values: &mut Vec<T::T>,
) -> Result<usize, ParquetError> {
    values.clear();
    let mut got = 0;
    while got < n {
        let (more, _, _) = reader.read_records(n - got, Some(levels), None, values)?;
        if more == 0 {
            break;
        }
        got += more;
    }
    Ok(got)
}
