//go:build !race

package echoadapter

import "testing"

func TestAllocations(t *testing.T) { unit.Allocations(t) }
