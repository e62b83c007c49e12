package core

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// TestSEC1AMillionTokens: among a million, no ID and no secret repeats, and each
// bit is set half the time. No bit is constant, and no randomness is cut off.
func TestSEC1AMillionTokens(t *testing.T) {
	n, sample := 1_000_000, 20_000
	if testing.Short() {
		n = sample
	}
	source := Config{}.withDefaults().Rand
	ids, secrets := make([]uint64, n), make([]uint64, n)
	var set [8 * tokenBytes]int
	for i := range n {
		id, err := newID(source)
		if err != nil {
			t.Fatal(err)
		}
		sec, err := newSecret(source)
		if err != nil {
			t.Fatal(err)
		}
		// Eight bytes of each are enough: two in a million agree once in 10^7 runs.
		ids[i], secrets[i] = binary.BigEndian.Uint64(id[8:]), binary.BigEndian.Uint64(sec[24:])
		if i >= sample {
			continue
		}
		raw, err := tokenEncoding.DecodeString(formatToken(id, sec))
		if err != nil {
			t.Fatal(err)
		}
		for bit := range set {
			set[bit] += int(raw[bit/8] >> (bit % 8) & 1)
		}
	}
	for bit, times := range set {
		if off := float64(2*times-sample) / math.Sqrt(float64(sample)); math.Abs(off) > 8 { // once in 10^12
			t.Errorf("bit %d of a token is set in %d of %d: %.1f standard deviations off", bit, times, sample, off)
		}
	}
	for part, drawn := range map[string][]uint64{"IDs": ids, "secrets": secrets} {
		slices.Sort(drawn)
		if distinct := len(slices.Compact(drawn)); distinct != n {
			t.Errorf("%d distinct %s in %d tokens", distinct, part, n)
		}
	}
}
