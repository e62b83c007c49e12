package stores

import (
	"bytes"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core/sealed"
)

func TestGorillaKeys(t *testing.T) {
	newest, older := sealed.GenerateKey(), sealed.GenerateKey()
	pairs, err := gorillaKeys(newest + ", " + older)
	if err != nil {
		t.Fatal(err)
	}
	if len(pairs) != 4 {
		t.Fatalf("%d keys of two, want two pairs", len(pairs))
	}
	for i, key := range pairs {
		for _, other := range pairs[:i] {
			if bytes.Equal(key, other) || len(key) != 32 {
				t.Errorf("key %d has %d bytes, or is there twice", i, len(key))
			}
		}
	}
	alone, err := gorillaKeys(older)
	if err != nil || !bytes.Equal(alone[0], pairs[2]) || !bytes.Equal(alone[1], pairs[3]) {
		t.Errorf("alone, the older key has another pair (%v)", err)
	}
	other := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(older), "=")
	if spelled, err := gorillaKeys(other); err != nil || !bytes.Equal(spelled[0], alone[0]) {
		t.Errorf("the same key in the other alphabet has another pair (%v)", err)
	}
	if _, err := gorillaKeys("hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a bad key: %v, want an error that does not repeat the key", err)
	}
}
