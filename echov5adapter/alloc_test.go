//go:build !race

package echov5adapter

import "testing"

func TestAllocations(t *testing.T) { unit.Allocations(t) }
