module github.com/satchel-go/satchel/core/scsstore

go 1.25.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/satchel-go/satchel v0.1.0
)

require (
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)

replace github.com/satchel-go/satchel => ../../
