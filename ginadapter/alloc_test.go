//go:build !race

package ginadapter

import "testing"

func TestAllocations(t *testing.T) { unit.Allocations(t) }
