package core

// Record is a placeholder until the record format lands.
type Record struct{}
