module github.com/satchel-go/satchel/internal/chaos

go 1.25.0

require github.com/anishathalye/porcupine v1.3.1

require github.com/satchel-go/satchel v0.1.0

require (
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)

replace github.com/satchel-go/satchel => ../../
