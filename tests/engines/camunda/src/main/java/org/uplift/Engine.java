package org.uplift;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** Runs Camunda 7 with its REST API. */
@SpringBootApplication
public class Engine {

  public static void main(String[] arguments) {
    SpringApplication.run(Engine.class, arguments);
  }
}
