package openaitest

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// sound is silence in one of the formats of speech: one piece a word.
type sound struct {
	contentType string
	head        []byte
	pieces      [][]byte
}

func (s sound) whole() []byte { return slices.Concat(s.head, slices.Concat(s.pieces...)) }

// Of uncompressed sound: 24 kHz, 16 bits, one channel.
const (
	soundRate  = 24_000
	pieceBytes = soundRate * 2 / 50 // 20 ms
)

// soundOf makes silence of n words.
func soundOf(format string, n int) sound {
	n = max(n, 1)
	repeated := func(contentType string, head, piece []byte) sound {
		return sound{contentType, head, slices.Repeat([][]byte{piece}, n)}
	}
	silence := make([]byte, pieceBytes)
	switch format {
	case "wav":
		return repeated("audio/wav", wavHead(n*pieceBytes), silence)
	case "pcm":
		return repeated("audio/pcm", nil, silence)
	case "aac":
		return repeated("audio/aac", nil, aacFrame())
	case "flac":
		return repeated("audio/flac", flacHead(), nil)
	case "opus":
		return oggOpus(n)
	}
	return repeated("audio/mpeg", nil, mp3Frame())
}

func wavHead(size int) []byte {
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(36+size))...)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint32(b, soundRate)
	b = binary.LittleEndian.AppendUint32(b, soundRate*2)
	b = append(b, "\x02\x00\x10\x00data"...)
	return binary.LittleEndian.AppendUint32(b, uint32(size))
}

// mp3Frame is a silent frame of MPEG-1 layer III: 32 kbit/s, 44.1 kHz, one channel.
func mp3Frame() []byte {
	b := make([]byte, 104)
	copy(b, "\xff\xfb\x10\xc4")
	return b
}

// aacFrame is a silent ADTS frame of AAC-LC: 24 kHz, one channel.
func aacFrame() []byte {
	return []byte{0xff, 0xf1, 0x58, 0x40, 0x01, 0x7f, 0xfc, 0x01, 0x18, 0x20, 0x07}
}

// flacHead is a stream that says what its samples would be, and has none.
func flacHead() []byte {
	b := make([]byte, 42)
	copy(b, "fLaC\x80\x00\x00\x22\x10\x00\x10\x00")
	// 20 bits of sample rate, 3 of channels less 1, 5 of bits a sample less 1.
	binary.BigEndian.PutUint64(b[18:], soundRate<<44|15<<36)
	return b
}

func oggOpus(n int) sound {
	head := []byte("OpusHead\x01\x01\x00\x00")
	head = binary.LittleEndian.AppendUint32(head, soundRate)
	head = append(head, 0, 0, 0)
	tags := []byte("OpusTags\x0a\x00\x00\x00openaitest\x00\x00\x00\x00")
	s := sound{contentType: "audio/opus", head: slices.Concat(oggPage(2, 0, 0, head), oggPage(0, 1, 0, tags))}
	for i := range n {
		kind := byte(0)
		if i == n-1 {
			kind = 4
		}
		s.pieces = append(s.pieces, oggPage(kind, uint32(i+2), uint64(i+1)*960, []byte{0xf8, 0xff, 0xfe}))
	}
	return s
}

// oggPage is one page with one packet of less than 255 bytes. Its checksum is a CRC
// that runs the other way than Go's.
func oggPage(kind byte, number uint32, position uint64, packet []byte) []byte {
	b := append([]byte("OggS\x00"), kind)
	b = binary.LittleEndian.AppendUint64(b, position)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, number)
	b = append(b, 0, 0, 0, 0, 1, byte(len(packet)))
	b = append(b, packet...)
	binary.LittleEndian.PutUint32(b[22:], oggSum(b))
	return b
}

func oggSum(b []byte) uint32 {
	sum := uint32(0)
	for _, c := range b {
		sum ^= uint32(c) << 24
		for range 8 {
			if sum&(1<<31) != 0 {
				sum = sum<<1 ^ 0x04c11db7
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// secondsOf is how long a recording is: exact for WAV, else as if it had 128 kbit/s.
func secondsOf(data []byte) float64 {
	if bytes.HasPrefix(data, []byte("RIFF")) && len(data) >= 44 {
		if rate := binary.LittleEndian.Uint32(data[28:]); rate > 0 {
			return float64(len(data)-44) / float64(rate)
		}
	}
	return float64(len(data)) / 16_000
}
