//! The tables of a SQLite file, as the file itself describes them: no list of them can fall behind.

use rusqlite::Connection;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Table {
    pub(in crate::store) name: String,
    pub(in crate::store) columns: Vec<String>,
    /// The columns of its primary key, in their order; none when it has no key.
    key: Vec<String>,
    /// The tables whose rows must be there before its own.
    refers_to: Vec<String>,
}

/// The tables, each behind those that it refers to.
pub(in crate::store) fn tables(sqlite: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut waiting =
        names(sqlite)?.into_iter().map(|name| table(sqlite, name)).collect::<rusqlite::Result<Vec<_>>>()?;
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_there =
            |name: &String, table: &Table| *name == table.name || ordered.iter().any(|one| one.name == *name);
        let (mut ready, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|table| table.refers_to.iter().all(|name| is_there(name, table)));
        if ready.is_empty() {
            // Tables that refer to each other in a circle: the database to which they go will say so.
            ordered.extend(rest);
            break;
        }
        ordered.append(&mut ready);
        waiting = rest;
    }
    Ok(ordered)
}

fn names(sqlite: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql =
        r"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name";
    sqlite.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn table(sqlite: &Connection, name: String) -> rusqlite::Result<Table> {
    let mut statement = sqlite.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let found = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found = found.collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
    let mut key: Vec<_> = found.iter().filter(|(_, place)| *place > 0).collect();
    key.sort_by_key(|(_, place)| *place);
    let key = key.into_iter().map(|(column, _)| column.clone()).collect();
    let mut statement = sqlite.prepare(r#"SELECT DISTINCT "table" FROM pragma_foreign_key_list(?1)"#)?;
    let refers_to = statement.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Table { columns: found.into_iter().map(|(column, _)| column).collect(), key, refers_to, name })
}

impl Table {
    /// Its name, as both databases read it.
    pub(in crate::store) fn quoted(&self) -> String {
        quoted(&self.name)
    }

    /// Its columns, as both databases read them.
    pub(in crate::store) fn quoted_columns(&self) -> String {
        join(&self.columns, "")
    }

    /// The statement that reads all of it, in an order that both databases agree on.
    pub(in crate::store) fn select(&self) -> String {
        let order = if self.key.is_empty() { join(&self.columns, " NULLS FIRST") } else { join(&self.key, "") };
        format!("SELECT {} FROM {} ORDER BY {order}", self.quoted_columns(), self.quoted())
    }

    /// How many rows it has.
    pub(in crate::store) fn count(&self, sqlite: &Connection) -> rusqlite::Result<u64> {
        let count: i64 = sqlite.query_row(&format!("SELECT count(*) FROM {}", self.quoted()), [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn join(names: &[String], each: &str) -> String {
    names.iter().map(|name| quoted(name) + each).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_after_those_it_refers_to_and_is_read_in_the_order_of_its_key() {
        let sqlite = Connection::open_in_memory().unwrap();
        let schema = r#"
            CREATE TABLE a (id TEXT PRIMARY KEY, b TEXT NOT NULL REFERENCES b (id), above TEXT REFERENCES a (id)) STRICT;
            CREATE TABLE b (id TEXT PRIMARY KEY, c INTEGER REFERENCES c (id)) STRICT;
            CREATE TABLE c (id INTEGER, "or""der" TEXT, PRIMARY KEY ("or""der", id)) STRICT;
            CREATE TABLE keyless (note TEXT) STRICT;"#;
        sqlite.execute_batch(schema).unwrap();
        let tables = tables(&sqlite).unwrap();
        assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["c", "keyless", "b", "a"]);
        assert_eq!(tables[0].select(), r#"SELECT "id", "or""der" FROM "c" ORDER BY "or""der", "id""#);
        assert_eq!(tables[1].select(), r#"SELECT "note" FROM "keyless" ORDER BY "note" NULLS FIRST"#);
    }
}
