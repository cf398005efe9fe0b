//! One connection, to either database. Queries are written once: in the SQL that both understand, with
//! parameters as `?1`, whole numbers of 64 bits, texts and bytes.

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use super::postgres::Link;

/// Why a query failed. Without its values, which may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// SQLite's reason.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL's reason.
    #[error("{}", said(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// PostgreSQL does not respond.
    #[error("PostgreSQL did not respond within {} s", super::postgres::LONGEST.as_secs())]
    Slow,
    /// PostgreSQL can't be reached.
    #[error("PostgreSQL is unavailable: {0}")]
    Away(String),
}

/// Returns PostgreSQL's message without the detail, which quotes values.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => error.to_string(),
    }
}

/// The result of a query.
pub(crate) type Queried<T> = Result<T, QueryError>;

/// A connection; one thread at a time uses it.
pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Link),
}

impl Connection {
    /// Runs a statement; returns the number of changed rows.
    pub(crate) fn execute(&self, query: &str, parameters: &[Value]) -> Queried<usize> {
        match self {
            Self::Sqlite(sqlite) => {
                let parameters = rusqlite::params_from_iter(parameters);
                Ok(sqlite.prepare_cached(query)?.execute(parameters)?)
            }
            Self::Postgres(link) => link.execute(query, parameters),
        }
    }

    /// Returns the first row, if there is one.
    pub(crate) fn first<T>(
        &self,
        query: &str,
        parameters: &[Value],
        read: impl Fn(&Row<'_>) -> Queried<T>,
    ) -> Queried<Option<T>> {
        match self {
            Self::Sqlite(sqlite) => {
                let mut statement = sqlite.prepare_cached(query)?;
                let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
                rows.next()?.map(|row| read(&Row::Sqlite(row))).transpose()
            }
            Self::Postgres(link) => {
                let rows = link.query(query, parameters)?;
                rows.first()
                    .map(|row| read(&Row::Postgres(row)))
                    .transpose()
            }
        }
    }

    /// Returns all rows.
    pub(crate) fn all<T>(
        &self,
        query: &str,
        parameters: &[Value],
        read: impl Fn(&Row<'_>) -> Queried<T>,
    ) -> Queried<Vec<T>> {
        match self {
            Self::Sqlite(sqlite) => {
                let mut statement = sqlite.prepare_cached(query)?;
                let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
                let mut all = Vec::new();
                while let Some(row) = rows.next()? {
                    all.push(read(&Row::Sqlite(row))?);
                }
                Ok(all)
            }
            Self::Postgres(link) => {
                let rows = link.query(query, parameters)?;
                rows.iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }

    /// Runs statements without parameters. Those of transactions come with every job, so SQLite keeps them
    /// prepared.
    pub(super) fn batch(&self, queries: &str) -> Queried<()> {
        match self {
            Self::Sqlite(sqlite) => {
                for query in queries.split("; ") {
                    sqlite.prepare_cached(query)?.execute([])?;
                }
                Ok(())
            }
            Self::Postgres(link) => link.batch(queries),
        }
    }

    /// Begins to write exclusively: in PostgreSQL with a lock that all nodes take.
    pub(super) fn begin(&self) -> Queried<()> {
        match self {
            Self::Sqlite(_) => self.batch("BEGIN IMMEDIATE"),
            Self::Postgres(link) => link.begin(),
        }
    }

    /// Returns true if the transaction is still open; an error may have ended it.
    pub(super) fn is_within(&self) -> bool {
        match self {
            Self::Sqlite(sqlite) => !sqlite.is_autocommit(),
            Self::Postgres(link) => link.is_within(),
        }
    }

    /// Commits the transaction.
    pub(super) fn commit(&self) -> Queried<()> {
        match self {
            Self::Sqlite(_) => self.batch("COMMIT"),
            Self::Postgres(link) => link.commit(),
        }
    }

    /// Runs a job; an error rolls back its own changes, and nothing else.
    pub(super) fn within_savepoint<T>(&self, job: impl FnOnce(&Self) -> Queried<T>) -> Queried<T> {
        self.batch("SAVEPOINT job")?;
        let done = job(self);
        self.batch(match done {
            Ok(_) => "RELEASE SAVEPOINT job",
            Err(_) => "ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job",
        })?;
        done
    }
}

/// A parameter.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What a parameter is made of.
pub(crate) trait Parameter {
    fn value(&self) -> Value;
}

macro_rules! parameter {
    ($($from:ty => |$it:ident| $made:expr;)*) => {$(
        impl Parameter for $from {
            fn value(&self) -> Value {
                let $it = self;
                $made
            }
        }
    )*};
}

parameter! {
    i64 => |number| Value::Integer(*number);
    bool => |is| Value::Integer((*is).into());
    str => |text| Value::Text(text.to_owned());
    String => |text| Value::Text(text.clone());
    [u8] => |bytes| Value::Bytes(bytes.to_owned());
    Vec<u8> => |bytes| Value::Bytes(bytes.clone());
}

impl<T: Parameter> Parameter for Option<T> {
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::value)
    }
}

impl<T: Parameter + ?Sized> Parameter for &T {
    fn value(&self) -> Value {
        (**self).value()
    }
}

/// The parameters of a query, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::Parameter::value(&$value)),*] };
}
pub(crate) use params;

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(redacted)")
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, kind) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(number), &Type::INT8) => number.to_sql(kind, out),
            (Self::Text(text), &Type::TEXT) => text.to_sql(kind, out),
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            _ => Err(format!("a parameter is not of type {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A row.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// What a column may hold.
pub(crate) trait Column: rusqlite::types::FromSql + for<'a> FromSql<'a> {}

impl Column for i64 {}
impl Column for String {}
impl Column for Vec<u8> {}
impl<T: Column> Column for Option<T> {}

impl Row<'_> {
    /// A column, from 0.
    pub(crate) fn get<T: Column>(&self, column: usize) -> Queried<T> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// A column that is 0 or 1.
    pub(crate) fn is(&self, column: usize) -> Queried<bool> {
        Ok(self.get::<i64>(column)? != 0)
    }
}
