package core

import _ "github.com/fxamacker/cbor/v2" // placeholder until the record codec lands: keeps every go.sum complete
