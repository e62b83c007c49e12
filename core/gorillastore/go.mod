module github.com/satchel-go/satchel/core/gorillastore

go 1.25.0

require (
	github.com/gorilla/securecookie v1.1.2
	github.com/gorilla/sessions v1.4.0
	github.com/rbcervilla/redisstore/v9 v9.0.0
	github.com/redis/go-redis/v9 v9.17.2
	github.com/satchel-go/satchel v0.1.0
	github.com/satchel-go/satchel/core/goredisstore v0.1.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)

replace (
	github.com/satchel-go/satchel => ../../
	github.com/satchel-go/satchel/core/goredisstore => ../goredisstore
)
