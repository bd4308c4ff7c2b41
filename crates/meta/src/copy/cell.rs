//! Values of tables as neither engine has them.

use plura_oci::Hasher;
use sqlx::{
    Encode, Postgres, Row, Sqlite, Type,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::Error;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Bytes,
    /// 0 and 1 in SQLite.
    Flag,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Bytes(Vec<u8>),
    Flag(bool),
}

impl Kind {
    /// The kind of a column by what its engine calls the type.
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        match name.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "bigint" | "integer" => Ok(Self::Integer),
            "blob" | "bytea" => Ok(Self::Bytes),
            "boolean" => Ok(Self::Flag),
            other => Err(Error::Corrupt(format!("a column has the type `{other}`"))),
        }
    }
}

impl Cell {
    pub(super) fn of_sqlite(row: &SqliteRow, column: usize, kind: Kind) -> Result<Self, Error> {
        let cell = match kind {
            Kind::Text => row.try_get::<Option<String>, _>(column)?.map(Self::Text),
            Kind::Integer => row.try_get::<Option<i64>, _>(column)?.map(Self::Integer),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Self::Bytes),
            Kind::Flag => row.try_get::<Option<bool>, _>(column)?.map(Self::Flag),
        };
        Ok(cell.unwrap_or(Self::Null))
    }

    pub(super) fn of_postgres(row: &PgRow, column: usize, kind: Kind) -> Result<Self, Error> {
        let cell = match kind {
            Kind::Text => row.try_get::<Option<String>, _>(column)?.map(Self::Text),
            Kind::Integer => row.try_get::<Option<i64>, _>(column)?.map(Self::Integer),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Self::Bytes),
            Kind::Flag => row.try_get::<Option<bool>, _>(column)?.map(Self::Flag),
        };
        Ok(cell.unwrap_or(Self::Null))
    }

    /// How much memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
                Self::Null | Self::Integer(_) | Self::Flag(_) => 0,
            }
    }

    /// Adds it to a digest, so that no two rows of cells look the same.
    pub(super) fn hash(&self, hasher: &mut Hasher) {
        let mut add = |kind: u8, bytes: &[u8]| {
            hasher.update(&[kind]);
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        match self {
            Self::Null => add(0, &[]),
            Self::Text(text) => add(1, text.as_bytes()),
            Self::Integer(number) => add(2, &number.to_be_bytes()),
            Self::Bytes(bytes) => add(3, bytes),
            Self::Flag(flag) => add(4, &[u8::from(*flag)]),
        }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }
}

/// The cells of a row as values of a statement.
pub(super) fn as_values(row: &[Cell], kinds: &[Kind]) -> Result<SqliteArguments, Error> {
    let mut values = SqliteArguments::default();
    for (cell, kind) in row.iter().zip(kinds) {
        match kind {
            Kind::Text => add::<Sqlite, _>(&mut values, cell.text())?,
            Kind::Integer => add::<Sqlite, _>(&mut values, cell.integer())?,
            Kind::Bytes => add::<Sqlite, _>(&mut values, cell.bytes())?,
            Kind::Flag => add::<Sqlite, _>(&mut values, cell.flag())?,
        }
    }
    Ok(values)
}

/// The cells of many rows as arrays, one for each column.
pub(super) fn as_arrays(rows: &[Vec<Cell>], kinds: &[Kind]) -> Result<PgArguments, Error> {
    let mut arrays = PgArguments::default();
    for (column, kind) in kinds.iter().enumerate() {
        let cells = rows.iter().filter_map(|row| row.get(column));
        match kind {
            Kind::Text => {
                add::<Postgres, _>(&mut arrays, cells.map(Cell::text).collect::<Vec<_>>())?;
            }
            Kind::Integer => {
                add::<Postgres, _>(&mut arrays, cells.map(Cell::integer).collect::<Vec<_>>())?;
            }
            Kind::Bytes => {
                add::<Postgres, _>(&mut arrays, cells.map(Cell::bytes).collect::<Vec<_>>())?;
            }
            Kind::Flag => {
                add::<Postgres, _>(&mut arrays, cells.map(Cell::flag).collect::<Vec<_>>())?;
            }
        }
    }
    Ok(arrays)
}

fn add<'t, D: sqlx::Database, T: Encode<'t, D> + Type<D>>(
    values: &mut D::Arguments,
    value: T,
) -> Result<(), Error> {
    use sqlx::Arguments;
    values.add(value).map_err(|error| sqlx::Error::Encode(error).into())
}
