// Test bench around a generated accelerator.
//
// Plays the image and takes the mask at the speed of the simulator, with pauses from a shift
// register, and writes everything the accelerator shows into files.  Python (bench.py) touches
// only the registers and waits for `wake`, so it sleeps through a run.
//
// FXHW_TOP, FXHW_PIN_BITS and FXHW_POUT_BITS are defined by the builder.  Job n reads
// job<n>/image.bin and writes job<n>/{front,out,write,mask,steps}.txt, one event per line, fields
// of fixed width in hexadecimal, the cycle first.

`timescale 1ns / 1ps

/* verilator lint_off DECLFILENAME */
module fxhw_bench (
    input wire        aclk /* verilator public_flat_rw */,
    input wire        aresetn /* verilator public_flat_rw */,
    input wire [7:0]  s_axi_awaddr /* verilator public_flat_rw */,
    input wire        s_axi_awvalid /* verilator public_flat_rw */,
    output wire       s_axi_awready /* verilator public_flat_rw */,
    input wire [31:0] s_axi_wdata /* verilator public_flat_rw */,
    input wire [3:0]  s_axi_wstrb /* verilator public_flat_rw */,
    input wire        s_axi_wvalid /* verilator public_flat_rw */,
    output wire       s_axi_wready /* verilator public_flat_rw */,
    output wire [1:0] s_axi_bresp /* verilator public_flat_rw */,
    output wire       s_axi_bvalid /* verilator public_flat_rw */,
    input wire        s_axi_bready /* verilator public_flat_rw */,
    input wire [7:0]  s_axi_araddr /* verilator public_flat_rw */,
    input wire        s_axi_arvalid /* verilator public_flat_rw */,
    output wire       s_axi_arready /* verilator public_flat_rw */,
    output wire [31:0] s_axi_rdata /* verilator public_flat_rw */,
    output wire [1:0] s_axi_rresp /* verilator public_flat_rw */,
    output wire       s_axi_rvalid /* verilator public_flat_rw */,
    input wire        s_axi_rready /* verilator public_flat_rw */,
    output wire       irq /* verilator public_flat_rw */,
    // The job: its files, how much image to send, where TLAST stands, how often to pause.
    input wire        play /* verilator public_flat_rw */,
    input wire [31:0] job /* verilator public_flat_rw */,
    input wire [31:0] image_bytes /* verilator public_flat_rw */,
    input wire [31:0] last_byte /* verilator public_flat_rw */,
    input wire [31:0] seed /* verilator public_flat_rw */,
    input wire [7:0]  rate_in /* verilator public_flat_rw */,
    input wire [7:0]  rate_out /* verilator public_flat_rw */,
    // `wake` rises with the interrupt or after `limit` cycles of waiting.
    input wire        waiting /* verilator public_flat_rw */,
    input wire [31:0] limit /* verilator public_flat_rw */,
    output reg        wake /* verilator public_flat_rw */,
    output reg        timed_out /* verilator public_flat_rw */,
    output reg [31:0] cycle /* verilator public_flat_rw */,
    output reg [31:0] taken_bytes /* verilator public_flat_rw */,
    output reg [31:0] mask_bytes /* verilator public_flat_rw */
);
  reg [7:0] in_data;
  reg in_valid, in_last, out_ready;
  wire in_ready, out_valid, out_last;
  wire [7:0] out_data;
  wire [15:0] step;
  wire running, front_valid, result_valid, write_valid;
  wire [`FXHW_PIN_BITS-1:0] front_data, write_data;
  wire [`FXHW_POUT_BITS-1:0] result_data;
  wire [31:0] write_address;

  `FXHW_TOP dut (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axi_awaddr(s_axi_awaddr),
      .s_axi_awprot(3'd0),
      .s_axi_awvalid(s_axi_awvalid),
      .s_axi_awready(s_axi_awready),
      .s_axi_wdata(s_axi_wdata),
      .s_axi_wstrb(s_axi_wstrb),
      .s_axi_wvalid(s_axi_wvalid),
      .s_axi_wready(s_axi_wready),
      .s_axi_bresp(s_axi_bresp),
      .s_axi_bvalid(s_axi_bvalid),
      .s_axi_bready(s_axi_bready),
      .s_axi_araddr(s_axi_araddr),
      .s_axi_arprot(3'd0),
      .s_axi_arvalid(s_axi_arvalid),
      .s_axi_arready(s_axi_arready),
      .s_axi_rdata(s_axi_rdata),
      .s_axi_rresp(s_axi_rresp),
      .s_axi_rvalid(s_axi_rvalid),
      .s_axi_rready(s_axi_rready),
      .s_axis_tdata(in_data),
      .s_axis_tvalid(in_valid),
      .s_axis_tready(in_ready),
      .s_axis_tlast(in_last),
      .m_axis_tdata(out_data),
      .m_axis_tvalid(out_valid),
      .m_axis_tready(out_ready),
      .m_axis_tlast(out_last),
      .irq(irq),
      .trace_step(step),
      .trace_running(running),
      .trace_front_valid(front_valid),
      .trace_front_data(front_data),
      .trace_out_valid(result_valid),
      .trace_out_data(result_data),
      .trace_write_valid(write_valid),
      .trace_write_address(write_address[`FXHW_ADDRESS_BITS-1:0]),
      .trace_write_data(write_data)
  );
  generate
    if (`FXHW_ADDRESS_BITS < 32) assign write_address[31:`FXHW_ADDRESS_BITS] = 0;
  endgenerate

  // Files -----------------------------------------------------------------------------------------
  reg [8*64-1:0] path;
  integer image_file, front_file, result_file, write_file, mask_file, steps_file;
  reg open;
  initial open = 0;

  always @(posedge play) begin
    $sformat(path, "job%0d/image.bin", job);
    image_file = $fopen(path, "rb");
    $sformat(path, "job%0d/front.txt", job);
    front_file = $fopen(path, "w");
    $sformat(path, "job%0d/out.txt", job);
    result_file = $fopen(path, "w");
    $sformat(path, "job%0d/write.txt", job);
    write_file = $fopen(path, "w");
    $sformat(path, "job%0d/mask.txt", job);
    mask_file = $fopen(path, "w");
    $sformat(path, "job%0d/steps.txt", job);
    steps_file = $fopen(path, "w");
    open = 1;
  end

  always @(negedge play)
    if (open) begin
      open = 0;
      $fclose(image_file);
      $fclose(front_file);
      $fclose(result_file);
      $fclose(write_file);
      $fclose(mask_file);
      $fclose(steps_file);
    end

  // Pauses ----------------------------------------------------------------------------------------
  // Rate 255 never pauses.  Below, every 64 cycles draw a mood: as the rate says, or no pause at
  // all, or a long one.
  reg [31:0] random;
  reg [1:0] mood_in, mood_out;
  reg [5:0] mood_age;

  function go;
    input [7:0] rate;
    input [1:0] mood;
    input [7:0] draw;
    go = rate == 8'd255 || mood == 2'd1 || (mood != 2'd2 && draw < rate);
  endfunction

  wire go_in = go(rate_in, mood_in, random[7:0]);
  wire go_out = go(rate_out, mood_out, random[23:16]);

  function [31:0] xorshift;
    input [31:0] x;
    reg [31:0] y;
    begin
      y = x ^ (x << 13);
      y = y ^ (y >> 17);
      xorshift = y ^ (y << 5);
    end
  endfunction

  always @(posedge aclk)
    if (!play) begin
      random <= seed | 32'd1;
      mood_in <= 0;
      mood_out <= 0;
      mood_age <= 0;
    end else begin
      random <= xorshift(random);
      mood_age <= mood_age + 6'd1;
      if (mood_age == 0) begin
        mood_in <= random[9:8];
        mood_out <= random[11:10];
      end
    end

  // Image source and mask sink --------------------------------------------------------------------
  reg [31:0] sent_bytes;

  always @(posedge aclk) begin
    if (!play) begin
      in_valid <= 0;
      in_last <= 0;
      in_data <= 0;
      sent_bytes <= 0;
      taken_bytes <= 0;
      mask_bytes <= 0;
      out_ready <= 0;
    end else begin
      if (in_valid && in_ready) taken_bytes <= taken_bytes + 1;
      if (!in_valid || in_ready) begin
        in_valid <= 0;
        if (go_in && sent_bytes < image_bytes) begin
          in_data <= $fgetc(image_file);
          in_last <= sent_bytes == last_byte;
          in_valid <= 1;
          sent_bytes <= sent_bytes + 1;
        end
      end
      out_ready <= go_out;
      if (out_valid && out_ready) mask_bytes <= mask_bytes + 1;
    end
  end

  // Records ---------------------------------------------------------------------------------------
  reg [16:0] seen;

  always @(posedge aclk)
    if (play && open) begin
      seen <= {running, step};
      if (seen !== {running, step}) $fwrite(steps_file, "%h %h %h\n", cycle, running, step);
      if (front_valid) $fwrite(front_file, "%h %h %h\n", cycle, step, front_data);
      if (result_valid) $fwrite(result_file, "%h %h %h\n", cycle, step, result_data);
      if (write_valid)
        $fwrite(write_file, "%h %h %h %h\n", cycle, step, write_address, write_data);
      if (out_valid && out_ready) $fwrite(mask_file, "%h %h %h\n", cycle, out_last, out_data);
    end else seen <= 17'h1ffff;

  // Time ------------------------------------------------------------------------------------------
  reg [31:0] waited;
  initial cycle = 0;

  always @(posedge aclk) begin
    cycle <= cycle + 1;
    if (!waiting) begin
      waited <= 0;
      wake <= 0;
      timed_out <= 0;
    end else begin
      waited <= waited + 1;
      if (irq === 1'b1) wake <= 1;
      else if (waited >= limit && !wake) begin
        wake <= 1;
        timed_out <= 1;
      end
    end
  end

`ifdef FXHW_WAVES
  // Only the cycles around a mismatch, or the file would be as large as the run is long.
  reg [31:0] waves_from;
  reg dumping;
  initial begin
    dumping = 0;
    if (!$value$plusargs("waves_from=%d", waves_from)) waves_from = 0;
  end
  always @(posedge aclk)
    if (!dumping && cycle >= waves_from) begin
      dumping <= 1;
      $dumpfile("waves.vcd");
      $dumpvars(0, fxhw_bench);
    end
`endif
endmodule
