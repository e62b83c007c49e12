module github.com/satchel-go/satchel/internal/chaos

go 1.25.0

require github.com/anishathalye/porcupine v1.3.1

require github.com/satchel-go/satchel v0.1.0

replace github.com/satchel-go/satchel => ../../
