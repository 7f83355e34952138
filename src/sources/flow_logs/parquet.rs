//! Objects in Parquet: the columns of a batch of rows side by side, each row read as a line is.
//!
//! AWS names fields with underscores and documents INT32 and INT64 for numbers and STRING for the rest; what others wrote
//! anew (pandas, Athena) has strings for numbers and `-` or `None` for nothing. Both are read.

use super::aggregate::Aggregate;
use super::fields::Format;
use super::lines::Faults;
use super::record::{Fields, Record, record};
use super::scan::address_in;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BinaryViewArray, downcast_primitive_array};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer};
use arrow_data::{ByteView, MAX_INLINE_VIEW_LEN};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use flate2::bufread::GzDecoder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use std::io::Read;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows that are looked at together.
const BATCH: usize = 8_192;

/// One column of a batch.
enum Column {
    Numbers { values: ScalarBuffer<i64>, nulls: Option<NullBuffer> },
    Texts(BinaryViewArray),
    Strange,
}

impl Column {
    fn of(array: &ArrayRef) -> Column {
        match array.data_type() {
            DataType::Utf8View => Column::Texts(array.as_string_view().clone().to_binary_view()),
            DataType::BinaryView => Column::Texts(array.as_binary_view().clone()),
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>().values().clone();
                Column::Numbers { values, nulls: array.nulls().cloned() }
            }
            other if is_number(other) => {
                Column::Numbers { values: numbers(array).into(), nulls: array.nulls().cloned() }
            }
            _ => Column::Strange,
        }
    }
}

/// Numbers of any width; one beyond 63 bits is out of range for every field.
fn numbers(array: &dyn Array) -> Vec<i64> {
    downcast_primitive_array!(
        array => array.values().iter().map(|n| n.to_i64().unwrap_or(-1)).collect(),
        _ => Vec::new()
    )
}

fn is_number(t: &DataType) -> bool {
    t.is_integer() || t.is_temporal()
}

/// A row of a batch. What is null is none.
struct Row<'b> {
    columns: &'b [Column],
    row: usize,
}

impl<'b> Fields<'b> for Row<'b> {
    type Cell = usize;

    #[inline]
    fn cell(&self, n: usize) -> usize {
        n
    }

    #[inline]
    fn count(&self) -> usize {
        self.columns.len()
    }

    #[inline]
    fn is_absent(&self, column: usize) -> bool {
        match &self.columns[column] {
            Column::Numbers { nulls, .. } => nulls.as_ref().is_some_and(|n| n.is_null(self.row)),
            Column::Texts(texts) => {
                let is_short = texts.views()[self.row] as u32 <= 4;
                is_short && matches!(texts.value(self.row), b"-" | b"" | b"None") || texts.is_null(self.row)
            }
            Column::Strange => true,
        }
    }

    #[inline]
    fn text(&self, column: usize) -> &'b [u8] {
        match &self.columns[column] {
            Column::Texts(texts) => texts.value(self.row),
            Column::Numbers { .. } => b"a number",
            Column::Strange => b"",
        }
    }

    #[inline]
    fn number(&self, column: usize) -> Option<u64> {
        match &self.columns[column] {
            Column::Numbers { values, .. } => u64::try_from(values[self.row]).ok(),
            Column::Texts(texts) => {
                let text = texts.value(self.row);
                super::scan::number(text, 0, text.len())
            }
            Column::Strange => None,
        }
    }

    #[inline]
    fn address(&self, column: usize) -> Option<IpAddr> {
        let Column::Texts(texts) = &self.columns[column] else { return None };
        let view = texts.views()[self.row];
        let len = view as u32;
        if len <= MAX_INLINE_VIEW_LEN {
            let from = size_of_val(&view) * self.row + size_of_val(&len);
            return address_in(texts.views().inner(), from, from + len as usize);
        }
        let ByteView { buffer_index, offset, .. } = ByteView::from(view);
        let from = offset as usize;
        address_in(&texts.data_buffers()[buffer_index as usize], from, from + len as usize)
    }

    fn shown(&self, column: usize) -> String {
        match &self.columns[column] {
            Column::Numbers { values, .. } => values[self.row].to_string(),
            _ => String::from_utf8_lossy(self.text(column)).into_owned(),
        }
    }
}

/// Sums the rows of an object.
///
/// # Errors
/// Why nothing of it can be read. A group of rows that is damaged is a fault; its rows up to there and the other groups are
/// kept. Told beside it is how many rows came before the first such place.
pub(super) fn read(
    delivered: &[u8],
    most: u64,
    sums: &mut Aggregate<'_>,
) -> Result<(Format, Faults, Option<u64>), String> {
    let file = Bytes::copy_from_slice(delivered);
    let about = guarded(|| about(&file)).map_err(|e| format!("is no Parquet: {e}"))?;
    let groups = about.metadata().row_groups();
    if groups.iter().flat_map(|g| g.columns()).any(is_impossible) {
        return Err("is no Parquet: its footer names places before the beginning of the file".into());
    }
    let unpacked = groups.iter().map(|g| u64::try_from(g.total_byte_size()).unwrap_or(0));
    let unpacked = unpacked.fold(0, u64::saturating_add);
    if unpacked > most {
        return Err(format!("says that it unpacks to {unpacked} bytes, more than the limit of {most}"));
    }
    if is_bomb(delivered, groups, most) {
        return Err(format!("its columns unpack to more than the limit of {most} bytes: a bomb"));
    }
    let names = about.parquet_schema().columns().iter().map(|c| c.path().string());
    let mut format = Format::columns_named(names);
    let mut faults = Faults::default();
    format.faults().into_iter().for_each(|f| faults.add("header", "schema".into(), f));
    let places = places(&about, &mut format, &mut faults);
    if places.iter().all(Option::is_none) {
        return Err("has no column of a flow log that can be read".into());
    }
    let (mut rows, mut cut) = (0, None);
    for (i, about_group) in groups.iter().enumerate() {
        let before = rows;
        let read = guarded(|| {
            let mut reader = group(&file, &about, &places, i)?;
            batches(&mut reader, &format, &places, sums, &mut faults, &mut rows)
        });
        let missing = u64::try_from(about_group.num_rows()).unwrap_or(0) != rows - before;
        let short = || ParquetError::General("it has other rows than its footer says".into());
        if let Err(e) = read.and_then(|()| if missing { Err(short()) } else { Ok(()) }) {
            sums.counts.quarantined += 1;
            let what = format!("a group of rows ends early or is damaged ({e}); all others are kept");
            faults.add("cut-short", format!("row {}", rows + 1), what);
            cut = cut.or(Some(rows));
            rows = before + u64::try_from(about_group.num_rows()).unwrap_or(0);
        }
    }
    Ok((format, faults, cut))
}

/// Runs what decodes foreign bytes: that it panics is one more kind of damage.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let panicked =
        |_| Err(ParquetError::General("it is damaged in a way that the decoder does not know".into()));
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(panicked)
}

/// The footer, with texts as views: what is the same in many rows is kept once.
fn about(file: &Bytes) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let about = ArrowReaderMetadata::load(file, options.clone())?;
    let viewed = |field: &Arc<Field>| {
        let view = match field.data_type() {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(view)
    };
    let schema = Schema::new(about.schema().fields().iter().map(viewed).collect::<Vec<_>>());
    ArrowReaderMetadata::try_new(about.metadata().clone(), options.with_schema(Arc::new(schema)))
}

/// Whether a column's place in the file cannot be.
fn is_impossible(column: &ColumnChunkMetaData) -> bool {
    column.data_page_offset() < 0
        || column.compressed_size() < 0
        || column.dictionary_page_offset().is_some_and(|at| at < 0)
}

/// Most bytes that deflate makes of one.
const DEFLATE: u64 = 1_032;

/// Whether columns of gzip unpack to more than a limit together, whatever the footer says of them. It is tried where their
/// size makes that possible; only the headers of pages tell where one begins, but each begins as gzip does.
fn is_bomb(delivered: &[u8], groups: &[RowGroupMetaData], most: u64) -> bool {
    let packed = |column: &&ColumnChunkMetaData| matches!(column.compression(), Compression::GZIP(_));
    let bytes = |column: &ColumnChunkMetaData| {
        let (from, size) = column.byte_range();
        let end = (delivered.len() as u64).min(from.saturating_add(size));
        &delivered[from.min(end) as usize..end as usize]
    };
    let columns: Vec<&[u8]> = groups.iter().flat_map(|g| g.columns()).filter(packed).map(bytes).collect();
    let size: u64 = columns.iter().map(|c| c.len() as u64).sum();
    if size.saturating_mul(DEFLATE) <= most {
        return false;
    }
    let (mut unpacked, mut read, mut room) = (0, 0, vec![0; 65_536]);
    for column in columns {
        for at in memchr::memmem::find_iter(column, b"\x1F\x8B\x08") {
            let mut page = GzDecoder::new(&column[at..]);
            while let Ok(n @ 1..) = page.read(&mut room) {
                unpacked += n as u64;
                if unpacked > most {
                    return true;
                }
            }
            // What looks like gzip within gzip is read as well: a file of nothing else is made to waste time.
            read += (column.len() - at - page.get_ref().len()) as u64;
            if read > 4 * size {
                return true;
            }
        }
    }
    false
}

/// Where each column of the file stands among those that are read.
fn places(about: &ArrowReaderMetadata, format: &mut Format, faults: &mut Faults) -> Vec<Option<usize>> {
    let descriptors = about.parquet_schema().columns();
    let mut next = 0;
    let mut place = |(i, column): (usize, &Arc<_>)| {
        let root = about.parquet_schema().get_column_root_idx(i);
        let of_type = about.schema().field(root).data_type();
        if let Some(what) = strange(column, of_type) {
            faults.add("column-type", format!("column {}", column.path()), what);
            format.leave_out(i);
            return None;
        }
        let at = next;
        next += usize::from(format.is_read(i));
        format.is_read(i).then_some(at)
    };
    descriptors.iter().enumerate().map(|(i, c)| place((i, c))).collect()
}

/// What is wrong with the type of a column.
fn strange(column: &parquet::schema::types::ColumnDescriptor, of_type: &DataType) -> Option<String> {
    if column.max_rep_level() > 0 || column.max_def_level() > 1 || of_type.is_nested() {
        return Some("is nested: a flat column would be right; it is not read".into());
    }
    let fits = matches!(of_type, DataType::Utf8View | DataType::BinaryView) || is_number(of_type);
    let stored = column.physical_type();
    (!fits).then(|| format!("is {stored} ({of_type}): INT32, INT64 or STRING would be right; it is not read"))
}

fn group(
    file: &Bytes,
    about: &ArrowReaderMetadata,
    places: &[Option<usize>],
    number: usize,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let leaves = places.iter().enumerate().filter_map(|(i, place)| place.map(|_| i));
    let read = ProjectionMask::leaves(about.parquet_schema(), leaves);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), about.clone());
    builder.with_row_groups(vec![number]).with_projection(read).with_batch_size(BATCH).build()
}

fn batches(
    reader: &mut ParquetRecordBatchReader,
    format: &Format,
    places: &[Option<usize>],
    sums: &mut Aggregate<'_>,
    faults: &mut Faults,
    rows: &mut u64,
) -> Result<(), ParquetError> {
    for batch in reader {
        let batch = batch?;
        let column = |place: &Option<usize>| place.map_or(Column::Strange, |at| Column::of(batch.column(at)));
        let columns: Vec<Column> = places.iter().map(column).collect();
        for row in 0..batch.num_rows() {
            *rows += 1;
            let mut r = Record::default();
            match record(&mut r, format, &Row { columns: &columns, row }) {
                Ok(()) => sums.add(&r),
                Err(fault) => {
                    sums.counts.quarantined += 1;
                    faults.add(fault.kind, format!("row {rows}"), fault.what);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::selection::Selection;
    use super::*;
    use arrow_array::{RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::GzipLevel;
    use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
    use parquet::file::properties::WriterProperties;

    /// A column of interfaces with long names, three megabytes of them.
    fn written() -> Vec<u8> {
        let names = StringArray::from_iter_values((0..3_000).map(|i| format!("eni-{i:01000}")));
        let batch = RecordBatch::try_from_iter([("interface_id", Arc::new(names) as ArrayRef)]).unwrap();
        let gzip = Compression::GZIP(GzipLevel::default());
        let properties =
            WriterProperties::builder().set_compression(gzip).set_dictionary_enabled(false).build();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    /// The same with a footer that says that everything is small when unpacked, and of this size when packed.
    fn lying(file: &[u8], packed: Option<i64>) -> Vec<u8> {
        let (_, length) = file[..file.len() - 4].split_last_chunk::<4>().unwrap();
        let pages = file.len() - 8 - u32::from_le_bytes(*length) as usize;
        let about = ParquetMetaDataReader::new().parse_and_finish(&Bytes::copy_from_slice(file)).unwrap();
        let small = |c: &ColumnChunkMetaData| {
            let builder = c.clone().into_builder().set_total_uncompressed_size(9);
            builder.set_total_compressed_size(packed.unwrap_or(c.compressed_size())).build()
        };
        let columns = about.row_group(0).columns().iter().map(|c| small(c).unwrap()).collect();
        let group =
            about.row_group(0).clone().into_builder().set_total_byte_size(9).set_column_metadata(columns);
        let about = about.into_builder().set_row_groups(vec![group.build().unwrap()]).build();
        let mut lying = file[..pages].to_vec();
        ParquetMetaDataWriter::new(&mut lying, &about).finish().unwrap();
        lying
    }

    #[test]
    fn a_bomb_is_told_before_it_is_unpacked_whatever_its_footer_says() {
        let selection = Selection::default();
        let refused = |file: &[u8], most| read(file, most, &mut Aggregate::new(&selection)).err();
        let file = written();
        assert_eq!(refused(&file, 4 << 20), None);
        assert!(refused(&file, 2 << 20).unwrap().contains("says that it unpacks to"));
        assert_eq!(refused(&lying(&file, None), 4 << 20), None);
        for packed in [None, Some(1 << 40)] {
            assert_eq!(
                refused(&lying(&file, packed), 2 << 20).unwrap(),
                "its columns unpack to more than the limit of 2097152 bytes: a bomb"
            );
        }
    }
}
