// Package sqlsessions keeps sessions in a SQL database, through whatever runs
// statements. The packages that users import connect it to a driver.
//
// Two rules hold everywhere. The application's clock decides; the database's is never
// asked. And between two round trips nothing is held: what must be atomic is one
// statement, or for rare steps in MySQL and SQLite a short transaction.
package sqlsessions
