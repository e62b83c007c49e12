// Package gorillalimits lists the promises that sessions in a shared gorilla store
// cannot keep, for tests that run the adapter suite on package gorillastore. The
// limits of gorilla's cookies are [adaptertest.ClientSideLimits].
//
// [adaptertest.ClientSideLimits]: https://pkg.go.dev/github.com/satchel-go/satchel/core/adaptertest#ClientSideLimits
package gorillalimits

// From returns the limits of gorillastore.From, within one process.
func From() map[string]string {
	return map[string]string{
		"I2":   "a gorilla store finds sessions only by their cookies: they cannot be listed, counted or ended one by one",
		"SEC7": "a gorilla store holds the tokens themselves: anyone who reads it can take sessions over, unless the store signs its cookies",
	}
}

// Compatible returns the limits of gorillastore.RedisCompatible.
func Compatible() map[string]string {
	return map[string]string{
		"I2":   "redisstore finds sessions only by their cookies: they cannot be listed, counted or ended one by one",
		"SEC7": "redisstore keeps the tokens themselves: anyone who reads Redis can take sessions over",
	}
}
