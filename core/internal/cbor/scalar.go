package cbor

import (
	"encoding/binary"
	"math"
)

// Major types (RFC 8949 section 3.1).
const (
	majorUint byte = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// Whole items of major type 7 and their additional information.
const (
	itemFalse = 0xf4
	itemTrue  = 0xf5
	itemNull  = 0xf6

	infoHalf   = 25
	infoFloat  = 26
	infoDouble = 27

	halfNaN = 0x7e00
)

// maxHead is the longest head, and so the longest scalar that is not a string.
const maxHead = 9

// EncodeScalar returns the bytes that Marshal would write for v, in one allocation
// of exactly that size. It returns false if v needs Marshal.
func EncodeScalar(v any) ([]byte, bool) {
	switch s := v.(type) {
	case string:
		return appendScalar(make([]byte, 0, headSize(len(s))+len(s)), v)
	case []byte:
		return appendScalar(make([]byte, 0, headSize(len(s))+len(s)), v)
	}
	var scratch [maxHead]byte
	small, ok := appendScalar(scratch[:0], v)
	if !ok {
		return nil, false
	}
	data := make([]byte, len(small))
	copy(data, small)
	return data, true
}

// appendScalar appends exactly the bytes that Marshal would write for v. For other
// types, named ones included, it returns dst unchanged and false.
func appendScalar(dst []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case string:
		return append(appendHead(dst, majorText, uint64(len(v))), v...), true
	case []byte:
		if v == nil {
			return append(dst, itemNull), true
		}
		return append(appendHead(dst, majorBytes, uint64(len(v))), v...), true
	case bool:
		if v {
			return append(dst, itemTrue), true
		}
		return append(dst, itemFalse), true
	case int:
		return appendInt(dst, int64(v)), true
	case int8:
		return appendInt(dst, int64(v)), true
	case int16:
		return appendInt(dst, int64(v)), true
	case int32:
		return appendInt(dst, int64(v)), true
	case int64:
		return appendInt(dst, v), true
	case uint:
		return appendHead(dst, majorUint, uint64(v)), true
	case uint8:
		return appendHead(dst, majorUint, uint64(v)), true
	case uint16:
		return appendHead(dst, majorUint, uint64(v)), true
	case uint32:
		return appendHead(dst, majorUint, uint64(v)), true
	case uint64:
		return appendHead(dst, majorUint, v), true
	case float32:
		return appendFloat(dst, float64(v)), true
	case float64:
		return appendFloat(dst, v), true
	}
	return dst, false
}

// headSize returns the length of the head of a string of n bytes.
func headSize(n int) int {
	switch n := uint64(n); {
	case n < 24:
		return 1
	case n <= math.MaxUint8:
		return 2
	case n <= math.MaxUint16:
		return 3
	case n <= math.MaxUint32:
		return 5
	}
	return maxHead
}

// appendHead appends a head in its shortest form.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	first := major << 5
	switch {
	case arg < 24:
		return append(dst, first|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, first|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, first|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, first|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, first|27), arg)
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, majorNegative, uint64(^n)) // -1-n
	}
	return appendHead(dst, majorUint, uint64(n))
}

// appendFloat appends the shortest of the three forms that preserves f, and a
// single form for all NaNs (RFC 8949 section 4.2.2).
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) {
		return binary.BigEndian.AppendUint16(append(dst, majorSimple<<5|infoHalf), halfNaN)
	}
	single := float32(f)
	if float64(single) != f {
		return binary.BigEndian.AppendUint64(append(dst, majorSimple<<5|infoDouble), math.Float64bits(f))
	}
	if half, ok := halfFromFloat(single); ok {
		return binary.BigEndian.AppendUint16(append(dst, majorSimple<<5|infoHalf), half)
	}
	return binary.BigEndian.AppendUint32(append(dst, majorSimple<<5|infoFloat), math.Float32bits(single))
}

// halfFromFloat returns f in IEEE 754 half precision, and whether that is exact.
// f must not be NaN.
func halfFromFloat(f float32) (uint16, bool) {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	exp := int(bits>>23&0xff) - 127
	frac := bits & (1<<23 - 1)
	switch {
	case bits<<1 == 0:
		return sign, true
	case exp == 128:
		return sign | 0x7c00, true
	case exp >= -14 && exp <= 15:
		return sign | uint16(exp+15)<<10 | uint16(frac>>13), frac&(1<<13-1) == 0
	case exp >= -24 && exp < -14: // subnormal as a half: the leading 1 becomes explicit
		frac |= 1 << 23
		shift := uint(-1 - exp)
		return sign | uint16(frac>>shift), frac&(1<<shift-1) == 0
	}
	return 0, false
}

// floatFromHalf is the reverse of halfFromFloat. h must not be NaN.
func floatFromHalf(h uint16) float64 {
	sign := uint64(h&0x8000) << 48
	exp := uint64(h >> 10 & 0x1f)
	frac := uint64(h & 0x3ff)
	switch exp {
	case 0:
		return math.Float64frombits(sign | math.Float64bits(float64(frac)*0x1p-24))
	case 31:
		return math.Float64frombits(sign | 0x7ff<<52)
	}
	return math.Float64frombits(sign | (exp-15+1023)<<52 | frac<<42)
}

// DecodeScalar decodes the single item in data if T is one of the types below and
// the item is in this type's encoding. Otherwise it returns false, and Unmarshal
// decides whether to accept data. The result shares no memory with data.
func DecodeScalar[T any](data []byte) (T, bool) {
	var v T
	// The pointer does not escape: v stays on the stack.
	if scanScalar(data, any(&v)) {
		return v, true
	}
	var zero T
	return zero, false
}

// scanScalar decodes the item in data into the variable that target points to.
func scanScalar(data []byte, target any) bool {
	h, ok := readHead(data)
	if !ok {
		return false
	}
	content := data[h.size:]
	switch p := target.(type) {
	case *string:
		if h.major != majorText || h.arg != uint64(len(content)) {
			return false
		}
		*p = string(content)
		return true
	case *[]byte:
		if h.major != majorBytes || h.arg != uint64(len(content)) {
			return false
		}
		*p = make([]byte, len(content))
		copy(*p, content)
		return true
	}
	if len(content) != 0 {
		return false
	}
	switch p := target.(type) {
	case *bool:
		*p = data[0] == itemTrue
		return data[0] == itemTrue || data[0] == itemFalse
	case *float64:
		*p, ok = h.float()
		return ok
	case *int:
		return setInt(p, h)
	case *int64:
		return setInt(p, h)
	case *int32:
		return setInt(p, h)
	case *uint64:
		return setUint(p, h)
	case *uint32:
		return setUint(p, h)
	}
	return false
}

func setInt[T int | int32 | int64](p *T, h head) bool {
	if h.major > majorNegative || h.arg > math.MaxInt64 {
		return false
	}
	n := int64(h.arg)
	if h.major == majorNegative {
		n = ^n
	}
	*p = T(n)
	return int64(*p) == n
}

func setUint[T uint32 | uint64](p *T, h head) bool {
	*p = T(h.arg)
	return h.major == majorUint && uint64(*p) == h.arg
}

// head is the start of an item: its type and its number, length or bits.
type head struct {
	arg   uint64
	major byte
	info  byte
	size  int // bytes that the head takes
}

// readHead reads the head at the start of data. Like Unmarshal, it accepts heads
// that are longer than necessary, but not indefinite lengths.
func readHead(data []byte) (head, bool) {
	if len(data) == 0 {
		return head{}, false
	}
	h := head{major: data[0] >> 5, info: data[0] & 0x1f, size: 1}
	if h.info < 24 {
		h.arg = uint64(h.info)
		return h, true
	}
	if h.info > 27 {
		return head{}, false
	}
	width := 1 << (h.info - 24)
	if len(data) < 1+width {
		return head{}, false
	}
	for _, b := range data[1 : 1+width] {
		h.arg = h.arg<<8 | uint64(b)
	}
	h.size = 1 + width
	return h, true
}

// float returns the number in a head of major type 7. It leaves NaNs, whose bits
// need special care, to Unmarshal.
func (h head) float() (float64, bool) {
	if h.major != majorSimple {
		return 0, false
	}
	var f float64
	switch h.info {
	case infoHalf:
		if h.arg&0x7fff > 0x7c00 {
			return 0, false
		}
		f = floatFromHalf(uint16(h.arg))
	case infoFloat:
		f = float64(math.Float32frombits(uint32(h.arg)))
	case infoDouble:
		f = math.Float64frombits(h.arg)
	default:
		return 0, false
	}
	return f, !math.IsNaN(f)
}
