;; Pillow's two passes (libImaging's Resample.c) on 16 bytes at a time. `node scripts/resize-kernel.mjs` makes resize-kernel-bytes.ts of it.
;;
;; A sample is 8 bits, a weight 22 and a sign, a sum 32: integers throughout, so that the order of adding changes nothing.
(module
  (memory (export "memory") 1)

  ;; Along the rows, three channels. Each output pixel is made of `groups` times four neighbours. A weight is its high part
  ;; times 2048 and its low part, each of 16 bits, since products of 16 bits are added in pairs by one instruction: for four
  ;; neighbours four high parts, then four low ones.
  (func (export "columns")
    (param $in i32) (param $out i32)
    (param $rows i32)
    (param $stride i32) ;; bytes of an input row
    (param $count i32) ;; pixels of an output row
    (param $starts i32) ;; for each the byte of its first neighbour in the row, 32 bits
    (param $weights i32)
    (param $groups i32)
    (local $start i32) (local $weight i32) (local $x i32) (local $at i32) (local $group i32)
    (local $high v128) (local $low v128) (local $four v128) (local $two v128)
    (loop $row
      (local.set $start (local.get $starts))
      (local.set $weight (local.get $weights))
      (local.set $x (local.get $count))
      (loop $pixel
        (local.set $at (i32.add (local.get $in) (i32.load (local.get $start))))
        (local.set $high (v128.const i32x4 0 0 0 0))
        (local.set $low (v128.const i32x4 0x200000 0x200000 0x200000 0x200000)) ;; a half
        (local.set $group (local.get $groups))
        (loop $neighbours
          (local.set $four (v128.load align=1 (local.get $at)))
          ;; the reds of two pixels, their greens, their blues; 255 is no byte
          (local.set $two
            (i8x16.swizzle (local.get $four)
              (v128.const i8x16 0 255 3 255 1 255 4 255 2 255 5 255 255 255 255 255)))
          (local.set $high
            (i32x4.add (local.get $high) (i32x4.dot_i16x8_s (local.get $two) (v128.load32_splat (local.get $weight)))))
          (local.set $low
            (i32x4.add (local.get $low) (i32x4.dot_i16x8_s (local.get $two) (v128.load32_splat offset=8 (local.get $weight)))))
          (local.set $two
            (i8x16.swizzle (local.get $four)
              (v128.const i8x16 6 255 9 255 7 255 10 255 8 255 11 255 255 255 255 255)))
          (local.set $high
            (i32x4.add (local.get $high) (i32x4.dot_i16x8_s (local.get $two) (v128.load32_splat offset=4 (local.get $weight)))))
          (local.set $low
            (i32x4.add (local.get $low) (i32x4.dot_i16x8_s (local.get $two) (v128.load32_splat offset=12 (local.get $weight)))))
          (local.set $at (i32.add (local.get $at) (i32.const 12)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 16)))
          (br_if $neighbours (local.tee $group (i32.sub (local.get $group) (i32.const 1)))))
        (local.set $two
          (i32x4.shr_s (i32x4.add (i32x4.shl (local.get $high) (i32.const 11)) (local.get $low)) (i32.const 22)))
        (local.set $two (i16x8.narrow_i32x4_s (local.get $two) (local.get $two)))
        (local.set $two (i8x16.narrow_i16x8_u (local.get $two) (local.get $two)))
        (v128.store16_lane align=1 0 (local.get $out) (local.get $two))
        (v128.store8_lane offset=2 2 (local.get $out) (local.get $two))
        (local.set $out (i32.add (local.get $out) (i32.const 3)))
        (local.set $start (i32.add (local.get $start) (i32.const 4)))
        (br_if $pixel (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
      (local.set $in (i32.add (local.get $in) (local.get $stride)))
      (br_if $row (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  ;; Across the rows, any channels: sixteen samples of an output row at once. What is written beyond a row's end, the next row's
  ;; beginning replaces.
  (func (export "rows")
    (param $in i32) ;; where the picture's row 0 is or would be
    (param $out i32)
    (param $length i32) ;; bytes of a row
    (param $count i32) ;; output rows
    (param $bounds i32) ;; for each its first input row and how many, 32 bits both
    (param $weights i32) ;; for each `size` weights, 32 bits
    (param $size i32) ;; bytes of these
    (local $from i32) (local $x i32) (local $at i32) (local $weight i32) (local $left i32)
    (local $k v128) (local $half v128) (local $sixteen v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (loop $row
      (local.set $from
        (i32.add (local.get $in) (i32.mul (i32.load (local.get $bounds)) (local.get $length))))
      (local.set $x (i32.const 0))
      (loop $samples
        (local.set $a (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $b (local.get $a))
        (local.set $c (local.get $a))
        (local.set $d (local.get $a))
        (local.set $at (i32.add (local.get $from) (local.get $x)))
        (local.set $weight (local.get $weights))
        (local.set $left (i32.load offset=4 (local.get $bounds)))
        (loop $neighbours
          (local.set $sixteen (v128.load align=1 (local.get $at)))
          (local.set $k (v128.load32_splat (local.get $weight)))
          (local.set $half (i16x8.extend_low_i8x16_u (local.get $sixteen)))
          (local.set $a (i32x4.add (local.get $a) (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $half)) (local.get $k))))
          (local.set $b (i32x4.add (local.get $b) (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $half)) (local.get $k))))
          (local.set $half (i16x8.extend_high_i8x16_u (local.get $sixteen)))
          (local.set $c (i32x4.add (local.get $c) (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $half)) (local.get $k))))
          (local.set $d (i32x4.add (local.get $d) (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $half)) (local.get $k))))
          (local.set $at (i32.add (local.get $at) (local.get $length)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $neighbours (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (v128.store align=1 (i32.add (local.get $out) (local.get $x))
          (i8x16.narrow_i16x8_u
            (i16x8.narrow_i32x4_s
              (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
            (i16x8.narrow_i32x4_s
              (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22)))))
        (br_if $samples
          (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 16))) (local.get $length))))
      (local.set $out (i32.add (local.get $out) (local.get $length)))
      (local.set $bounds (i32.add (local.get $bounds) (i32.const 8)))
      (local.set $weights (i32.add (local.get $weights) (local.get $size)))
      (br_if $row (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))
