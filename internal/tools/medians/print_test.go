package main

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/tools/benchresults"
)

// The order differs between rounds, and the second ran on a machine half as fast.
const output = `goos: linux
--- round 1 of 3
BenchmarkSession/read/redis/scs-2              	 7406	  50000 ns/op	 51.00 cookie-bytes	11512 B/op	 240 allocs/op
BenchmarkSession/read/redis/scs-idle-2         	 4507	 100000 ns/op	 51.00 cookie-bytes	15268 B/op	 291 allocs/op
BenchmarkSession/read/redis/satchel-2          	 9307	  30000 ns/op	 79.00 cookie-bytes	 2928 B/op	  24 allocs/op
BenchmarkSession/read/redis/floor-2            	 9307	  15000 ns/op	  20 allocs/op
BenchmarkSession/read/bare/nethttp-2           	 9307	  100 ns/op	   0 allocs/op
--- round 2 of 3
BenchmarkSession/read/redis/satchel-2          	 9307	  60000 ns/op	 79.00 cookie-bytes	 2928 B/op	  24 allocs/op
BenchmarkSession/read/redis/scs-2              	 7406	 100000 ns/op	 51.00 cookie-bytes	11512 B/op	 240 allocs/op
BenchmarkSession/read/redis/scs-idle-2         	 4507	 200000 ns/op	 51.00 cookie-bytes	15268 B/op	 292 allocs/op
BenchmarkSession/read/redis/floor-2            	 9307	  20000 ns/op	  20 allocs/op
BenchmarkSession/read/bare/nethttp-2           	 9307	  200 ns/op	   0 allocs/op
--- round 3 of 3
BenchmarkSession/read/redis/satchel-2          	 9307	    900.4 ns/op	 79.00 cookie-bytes	 2928 B/op	  24 allocs/op
BenchmarkSession/read/redis/scs-2              	 7406	   2500 ns/op	 51.00 cookie-bytes	11512 B/op	 240 allocs/op
BenchmarkSession/read/redis/scs-idle-2         	 4507	   2000 ns/op	 51.00 cookie-bytes	15268 B/op	 293 allocs/op
BenchmarkSession/read/redis/floor-2            	 9307	  300 ns/op	  20 allocs/op
BenchmarkSession/read/bare/nethttp-2           	 9307	  3 ns/op	   0 allocs/op
PASS
`

func TestMedians(t *testing.T) {
	results, err := benchresults.Parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := show(&got, results); err != nil {
		t.Fatal(err)
	}
	const want = `
Medians of 3 rounds. "ratio" is the time of the first in its group divided by this one's;
"floor" and "bare" are this one's time divided by that of a session without guards, and of the framework alone.

read                                       time  allocs   ratio   floor    bare
bare/nethttp                             100 ns       0
redis/satchel                           30.0 µs      24            3.00  300.00
redis/floor                             15.0 µs      20    3.00          100.00
redis/scs                               50.0 µs     240    0.60    5.00  500.00
redis/scs-idle                         100.0 µs     292    0.30    6.67 1000.00

read: redis/satchel takes 0.60 of the best peer, scs
read: redis/satchel takes 0.30 of the best peer with an idle timeout, scs-idle
read: redis/satchel takes 3.00 of the floor
read: redis/satchel takes 300.00 of nethttp alone
`
	if got.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", got.String(), want)
	}
}
