package goredisstore

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"
)

// moved is what a cluster node answers instead of running a command.
type moved string

func (m moved) Error() string { return string(m) }
func (moved) RedisError()     {}

// A cluster client sends a command again after an attempt that was answered with
// an error, which did not run, or one without an answer, which may have run.
func TestK1AttemptsWithoutAnAnswerCount(t *testing.T) {
	refused, broken := error(moved("MOVED 1 :7000")), errors.New("EOF")
	for name, test := range map[string]struct {
		outcomes []error // of the attempts before the last
		want     string
	}{
		"first":                    {nil, "0"},
		"refused":                  {[]error{refused, refused}, "0"},
		"broken, and not recorded": {[]error{nil}, "1"},
		"broken":                   {[]error{broken}, "1"},
		"refused, then broken":     {[]error{refused, nil}, "1"},
		"broken, then refused":     {[]error{broken, refused}, "1"},
	} {
		cmd := redis.NewCmd(t.Context(), "evalsha")
		a := &Attempts{cmd: cmd}
		for _, err := range test.outcomes {
			if _, failed := a.MarshalBinary(); failed != nil {
				t.Fatal(failed)
			}
			if err != nil {
				cmd.SetErr(err)
			}
		}
		if got, err := a.MarshalBinary(); string(got) != test.want || err != nil {
			t.Errorf("%s: sends %q, %v; want %q", name, got, err, test.want)
		}
	}
}
