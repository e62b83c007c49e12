module github.com/satchel-go/satchel/echov5adapter

go 1.25.0

require (
	github.com/labstack/echo/v5 v5.0.0
	github.com/satchel-go/satchel v0.1.0
)

require (
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/time v0.14.0 // indirect
)

replace github.com/satchel-go/satchel => ../
